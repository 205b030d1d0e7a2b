import { createHash } from "node:crypto";

/** In hexadecimal digits. */
export const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

/** Enough of it to tell whether something is another one. */
export const digest = (text: string) => sha256(text).slice(0, 16);
