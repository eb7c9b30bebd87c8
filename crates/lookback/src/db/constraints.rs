//! Names of the constraints that maintenance puts on partitions.

/// The `CHECK` of the times of a frozen partition.
pub(crate) const TIME_RANGE: &str = "lookback_times";

/// The start of the name of the `CHECK` on a default partition that is being
/// split; the first id of the ranges follows.
pub(crate) const SPLIT_BOUND_PREFIX: &str = "lookback_before_";
