/** The plugin's executable. */
import { serve } from "../provider";
import { kubernetesProvider } from "./provider";

void serve(kubernetesProvider());
