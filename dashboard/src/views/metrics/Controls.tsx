/** How the charts are drawn: the length of their buckets, and the axis of latencies. */
import { useParam } from "../../frame/address";
import { Switch } from "../../parts/Tools";
import { BUCKET_NAMES } from "../../time/buckets";
import type { BucketPlan } from "../../time/buckets";

export function BucketSelect({ plan }: { plan: BucketPlan }) {
  const [bucket, setBucket] = useParam("bucket", "auto");
  const isLonger = bucket !== "auto" && bucket !== plan.name;
  return (
    <label>
      Bucket
      <select value={BUCKET_NAMES.includes(bucket) ? bucket : "auto"} onChange={(event) => setBucket(event.target.value)}>
        <option value="auto">auto ({plan.name})</option>
        {BUCKET_NAMES.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
      {isLonger && <span className="quiet small">{plan.name} is shown: the range is too long for {bucket}</span>}
    </label>
  );
}

/** Whether latencies are on a logarithmic axis, with the button that changes it. */
export function useLogScale(): [isLog: boolean, button: React.ReactNode] {
  const [scale, setScale] = useParam("scale");
  const isLog = scale === "log";
  const button = (
    <Switch isOn={isLog} onChange={(isOn) => setScale(isOn ? "log" : "")} title="The axis of latencies is logarithmic">
      Log scale
    </Switch>
  );
  return [isLog, button];
}
