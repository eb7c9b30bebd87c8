//! The state of a rule: when it fires, and when it is resolved.

use chrono::{DateTime, TimeDelta, Utc};
use lookback::AlertState;

/// Where a rule is on its way from one measurement to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The condition does not hold.
    Ok,
    /// It holds, and not yet for long enough.
    Pending,
    /// The rule fires.
    Firing,
    /// The rule fires, and the condition does not hold, not yet for long enough.
    Resolving,
}

impl Phase {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Resolving => "resolving",
        }
    }

    /// The phase of a name; that of another version counts as the first.
    pub(super) fn of(name: &str) -> Self {
        match name {
            "pending" => Self::Pending,
            "firing" => Self::Firing,
            "resolving" => Self::Resolving,
            _ => Self::Ok,
        }
    }
}

/// How long the condition has to hold, and not to hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holds {
    pub(super) fire_after: TimeDelta,
    pub(super) resolve_after: TimeDelta,
}

/// Returns the phase after a measurement, and the change if there is one.
pub(super) fn next(
    phase: Phase,
    since: DateTime<Utc>,
    does_hold: bool,
    now: DateTime<Utc>,
    holds: Holds,
) -> (Phase, Option<AlertState>) {
    let lasted = now - since;
    match (phase, does_hold) {
        (Phase::Ok, true) if holds.fire_after <= TimeDelta::zero() => {
            (Phase::Firing, Some(AlertState::Firing))
        }
        (Phase::Ok, true) => (Phase::Pending, None),
        (Phase::Pending, true) if lasted >= holds.fire_after => {
            (Phase::Firing, Some(AlertState::Firing))
        }
        (Phase::Pending, true) => (Phase::Pending, None),
        (Phase::Ok | Phase::Pending, false) => (Phase::Ok, None),
        (Phase::Firing | Phase::Resolving, true) => (Phase::Firing, None),
        (Phase::Firing, false) if holds.resolve_after <= TimeDelta::zero() => {
            (Phase::Ok, Some(AlertState::Resolved))
        }
        (Phase::Firing, false) => (Phase::Resolving, None),
        (Phase::Resolving, false) if lasted >= holds.resolve_after => {
            (Phase::Ok, Some(AlertState::Resolved))
        }
        (Phase::Resolving, false) => (Phase::Resolving, None),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use lookback::AlertState;

    use super::{Holds, Phase, next};

    /// The changes of a rule that is measured every 15 s.
    fn changes(fire_after: i64, resolve_after: i64, measured: &str) -> Vec<(usize, AlertState)> {
        let holds = Holds {
            fire_after: TimeDelta::seconds(fire_after),
            resolve_after: TimeDelta::seconds(resolve_after),
        };
        let mut now = DateTime::<Utc>::UNIX_EPOCH;
        let (mut phase, mut since) = (Phase::Ok, now);
        let mut changes = Vec::new();
        for (index, letter) in measured.chars().enumerate() {
            now += TimeDelta::seconds(15);
            let (after, change) = next(phase, since, letter == 'x', now, holds);
            if after != phase {
                (phase, since) = (after, now);
            }
            changes.extend(change.map(|change| (index, change)));
        }
        changes
    }

    #[test]
    fn rule_fires_after_the_condition_holds_and_resolves_after_it_does_not() {
        let (firing, resolved) = (AlertState::Firing, AlertState::Resolved);
        assert_eq!(
            changes(0, 0, "..x.x"),
            [(2, firing), (3, resolved), (4, firing)]
        );
        // 30 s are two further measurements.
        assert_eq!(changes(30, 30, ".xx.xxx"), [(6, firing)]);
        assert_eq!(changes(30, 30, "xxx...x"), [(2, firing), (5, resolved)]);
        // It does not flap.
        assert_eq!(changes(0, 60, "x.x.x.x.x.x"), [(0, firing)]);
        assert_eq!(changes(60, 0, "x.x.x.x.x.x"), []);
    }

    #[test]
    fn changes_alternate_whatever_is_measured() {
        for bits in 0..1_u32 << 14 {
            let measured: String = (0..14)
                .map(|bit| if bits >> bit & 1 == 1 { 'x' } else { '.' })
                .collect();
            for (fire, resolve) in [(0, 0), (15, 30), (30, 0), (0, 45)] {
                for (index, (_, change)) in changes(fire, resolve, &measured).iter().enumerate() {
                    let expected = if index % 2 == 0 {
                        AlertState::Firing
                    } else {
                        AlertState::Resolved
                    };
                    assert_eq!(*change, expected, "{measured} {fire} {resolve}");
                }
            }
        }
    }

    #[test]
    fn names_of_phases_are_read_back() {
        for phase in [Phase::Ok, Phase::Pending, Phase::Firing, Phase::Resolving] {
            assert_eq!(Phase::of(phase.name()), phase);
        }
    }
}
