/**
 * Every code that was ever given: a check's (diagnosis/checks, host/check.sh) from 101, a cause's (diagnosis/causes) from
 * 901. People write them down, so none is given twice: that of a check or a cause that is gone moves to RETIRED_CODES.
 */
// prettier-ignore
export const CODES = [
  // tools
  "IVM101", "IVM102", "IVM103", "IVM104", "IVM105", "IVM106", "IVM107",
  // configuration
  "IVM201", "IVM202", "IVM203", "IVM204", "IVM205", "IVM206", "IVM207", "IVM208",
  // cluster
  "IVM301", "IVM302", "IVM303", "IVM304", "IVM305", "IVM306", "IVM307", "IVM308", "IVM309", "IVM310", "IVM311", "IVM312", "IVM313", "IVM314", "IVM315", "IVM316", "IVM317",
  // certificates
  "IVM401", "IVM402", "IVM403", "IVM404", "IVM405", "IVM406", "IVM407", "IVM408", "IVM409", "IVM410", "IVM411", "IVM412", "IVM413",
  // clock
  "IVM501", "IVM502", "IVM503", "IVM504", "IVM505", "IVM506",
  // network
  "IVM601", "IVM602", "IVM603", "IVM604", "IVM605", "IVM606", "IVM607", "IVM608", "IVM609", "IVM610",
  // hosts
  "IVM701", "IVM702", "IVM703", "IVM704", "IVM705", "IVM706", "IVM707", "IVM708", "IVM709", "IVM710", "IVM711", "IVM712", "IVM713", "IVM714", "IVM715", "IVM716", "IVM717", "IVM718", "IVM719", "IVM720", "IVM721", "IVM722", "IVM723", "IVM724", "IVM725", "IVM726", "IVM727", "IVM728", "IVM729", "IVM730", "IVM731", "IVM732", "IVM740", "IVM741", "IVM742", "IVM743", "IVM744", "IVM745", "IVM746", "IVM747",
  // causes: certificates
  "IVM901", "IVM902", "IVM903", "IVM904", "IVM905", "IVM906",
  // causes: identity
  "IVM911", "IVM912", "IVM913",
  // causes: connection
  "IVM921", "IVM922", "IVM923", "IVM924", "IVM925", "IVM926",
  // causes: host
  "IVM931", "IVM932", "IVM933", "IVM934", "IVM935", "IVM936", "IVM937", "IVM938",
  // causes: traffic
  "IVM941", "IVM942", "IVM943", "IVM944", "IVM945", "IVM946", "IVM947",
  // causes: update
  "IVM951", "IVM952", "IVM953", "IVM954", "IVM955", "IVM956", "IVM957",
] as const;

export const RETIRED_CODES: readonly string[] = [];

export type Code = (typeof CODES)[number];

/** An error that doctor has a check for: its words begin with the code. */
export class CodedError extends Error {
  constructor(code: Code, words: string) {
    super(`${code} ${words}`);
  }
}
