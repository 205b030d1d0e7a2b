/** The components, for programs of your own: `import { MeshHost } from "pulumi-istio-vm/components"`. */
export { AuthorityRotation, type AuthorityRotationArgs } from "./authorityRotation";
export { CaCertsSecret, type CaCertsSecretArgs } from "./caCertsSecret";
export {
  CertificateAuthority,
  type CertificateAuthorityArgs,
  type KeyAlgorithm,
  type ProvidedAuthority,
} from "./certificateAuthority";
export { ControlPlaneExposure, type ControlPlaneExposureArgs, type ExposedIstiod } from "./controlPlaneExposure";
export { EndedIdentities, type EndedIdentitiesArgs } from "./endedIdentities";
export type { ExposedGateway } from "../mesh/exposure";
export { EastWestGateway, type EastWestGatewayArgs } from "./eastWestGateway";
export { ExternalService, type ExternalServiceArgs } from "./externalService";
export { IssuedCertificates, type IssuedCertificatesArgs } from "./issuedCertificates";
export { IstioControlPlane, type IstioControlPlaneArgs } from "./istioControlPlane";
export { MeshExpansion, type MeshExpansionArgs } from "./meshExpansion";
export { type HostProof, MeshHost, type MeshHostArgs, type SidecarPackage } from "./meshHost";
export { MeshWorkload, type MeshWorkloadArgs } from "./meshWorkload";
export { SampleClient, type SampleClientArgs } from "./sampleClient";
export { NetworkGateway, type NetworkGatewayArgs } from "./networkGateway";
export { NetworkRoute, type NetworkRouteArgs } from "./networkRoute";
export { ServiceMembership, type ServiceMembershipArgs } from "./serviceMembership";
export { ServiceTraffic, type ServiceTrafficArgs } from "./serviceTraffic";
export { WorkloadIdentity, type WorkloadIdentityArgs } from "./workloadIdentity";
