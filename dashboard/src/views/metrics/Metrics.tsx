/** The windows of endpoints: all of them as small charts, or one in large. */
import { useParam } from "../../frame/address";
import { useWindow } from "../../frame/window";
import { planBuckets } from "../../time/buckets";
import { EndpointDetail } from "./EndpointDetail";
import { EndpointGrid } from "./EndpointGrid";

/** How many buckets a chart has at most, unless one chooses shorter ones. */
const MOST_OF_SMALL = 60;
const MOST_OF_LARGE = 150;

export function Metrics() {
  const [endpoint] = useParam("endpoint");
  const [bucket] = useParam("bucket", "auto");
  const { from, until } = useWindow();
  const plan = planBuckets(from, until, bucket, endpoint === "" ? MOST_OF_SMALL : MOST_OF_LARGE);
  return endpoint === "" ? <EndpointGrid plan={plan} /> : <EndpointDetail endpoint={endpoint} plan={plan} />;
}
