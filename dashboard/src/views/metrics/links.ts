/** Searches that other views understand. */
export { requestsOf } from "../../query/route";
