/** How the charts are drawn: the length of their buckets, and the axis of latencies. */
import { useParam } from "../../frame/address";
import { Switch } from "../../parts/Tools";
import { BUCKET_NAMES, bucketNames } from "../../time/buckets";
import type { BucketPlan } from "../../time/buckets";
import { useWindowPeriod } from "./data";

export function BucketSelect({ plan }: { plan: BucketPlan }) {
  const [bucket, setBucket] = useParam("bucket", "auto");
  const { from, until } = useWindowPeriod();
  const names = bucketNames(from, until);
  const isOther = bucket !== "auto" && bucket !== plan.name && BUCKET_NAMES.includes(bucket);
  return (
    <label>
      Bucket
      <select value={names.includes(bucket) ? bucket : "auto"} onChange={(event) => setBucket(event.target.value)}>
        <option value="auto">auto ({plan.name})</option>
        {names.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
      {isOther && (
        <span className="quiet small">
          {plan.name} is shown: the range is too {names.includes(bucket) ? "long" : "short"} for {bucket}
        </span>
      )}
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
