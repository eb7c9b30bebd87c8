/** The windows of endpoints: all of them as small charts, or one in large. */
import { useParam } from "../../frame/address";
import { planBuckets } from "../../time/buckets";
import { useWindowPeriod } from "./data";
import { EndpointDetail } from "./EndpointDetail";
import { EndpointGrid } from "./EndpointGrid";

/** A card has room for few buckets, and there are many cards. */
const OF_CARDS = { most: 60, limit: 400 };
const OF_ONE = { most: 150 };

export function Metrics() {
  const [endpoint] = useParam("endpoint");
  const [bucket] = useParam("bucket", "auto");
  const { from, until } = useWindowPeriod();
  const plan = planBuckets(from, until, bucket, endpoint === "" ? OF_CARDS : OF_ONE);
  if (endpoint !== "") return <EndpointDetail key={endpoint} endpoint={endpoint} plan={plan} />;
  return (
    <>
      <h1 className="hidden-label">Metrics</h1>
      <EndpointGrid plan={plan} />
    </>
  );
}
