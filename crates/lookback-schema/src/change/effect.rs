//! What a conversion does to the values of a column.

/// The effect of one cast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Effect {
    /// The data that it loses, in words.
    pub(super) loses: Option<&'static str>,
    /// Whether it fails for some values.
    pub(super) fails: bool,
}

impl Effect {
    /// Every value is kept.
    pub(super) const NONE: Self = Self {
        loses: None,
        fails: false,
    };

    pub(super) const fn losing(what: &'static str) -> Self {
        Self {
            loses: Some(what),
            fails: false,
        }
    }

    pub(super) const fn failing(self) -> Self {
        Self {
            fails: true,
            ..self
        }
    }
}

/// The effect of a whole conversion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// The data that it loses, in words.
    pub(super) loses: Vec<&'static str>,
    /// Whether it fails for some values.
    pub(super) fails: bool,
}

impl Outcome {
    pub(super) fn loses(mut self, what: &'static str) -> Self {
        if !self.loses.contains(&what) {
            self.loses.push(what);
        }
        self
    }

    pub(super) fn fails(mut self) -> Self {
        self.fails = true;
        self
    }

    /// This effect, and then another.
    pub(super) fn and(self, then: Self) -> Self {
        let fails = self.fails || then.fails;
        let mut both = then.loses.into_iter().fold(self, Self::loses);
        both.fails = fails;
        both
    }
}

impl From<Effect> for Outcome {
    fn from(effect: Effect) -> Self {
        Self {
            loses: effect.loses.into_iter().collect(),
            fails: effect.fails,
        }
    }
}
