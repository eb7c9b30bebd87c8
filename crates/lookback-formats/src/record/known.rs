//! What is known of the names of fields.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::LazyLock;

use lookback::value::JsonRef;
use smallvec::SmallVec;

use crate::json::names::{self, Role, RoleSet};
use lookback_json::secrets::is_secret_name;

/// What is known of a name, and whether the field was taken.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    /// The roles of fields within it, if it is an object.
    pub(super) paths: RoleSet,
    pub(super) role: Option<Role>,
    /// The place of the name in the list of its role.
    pub(super) place: u8,
    pub(super) marks: Marks,
    pub(super) is_taken: bool,
}

/// Marks of a name, or those of all names of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks(u8);

impl Marks {
    /// A format of its own may have it.
    pub(super) const OF_FORMAT: Self = Self(1);
    /// The record may be that of a request.
    pub(super) const OF_REQUEST: Self = Self(2);
    /// Numbers of levels are those of Python.
    pub(super) const OF_PYTHON: Self = Self(4);
    pub(super) const SECRET: Self = Self(8);
    /// What is masked does not depend on this name alone.
    pub(super) const CONTEXTUAL: Self = Self(16);

    /// It is in no list, but says that it has this role.
    pub(super) const fn alike(role: Role) -> Self {
        match role {
            Role::Time => Self(32),
            Role::Level => Self(64),
            Role::Message => Self(128),
            _ => Self(0),
        }
    }

    pub(super) fn add(&mut self, others: Self) {
        self.0 |= others.0;
    }

    pub(super) fn contains(self, mark: Self) -> bool {
        self.0 & mark.0 != 0
    }
}

impl Known {
    pub(super) fn of(name: &str) -> Self {
        static NAMES: LazyLock<HashMap<&str, Known>> = LazyLock::new(Known::all);
        let mut known = NAMES.get(name).copied().unwrap_or_default();
        if is_secret_name(name) {
            known.marks.add(Marks::SECRET);
        }
        if known.role.is_none() {
            let roles = [Role::Time, Role::Level, Role::Message];
            for role in roles
                .into_iter()
                .filter(|role| names::suggests(*role, name))
            {
                known.marks.add(Marks::alike(role));
            }
        }
        // The value may be that of the name beside it.
        if name == "value" || name.contains('\0') {
            known.marks.add(Marks::CONTEXTUAL);
        }
        known
    }

    fn all() -> HashMap<&'static str, Self> {
        let mut all: HashMap<&str, Self> = HashMap::new();
        let mut mark = |name, mark| all.entry(name).or_default().marks.add(mark);
        for name in names::OF_FORMATS {
            mark(name, Marks::OF_FORMAT);
        }
        for name in names::OF_PYTHON {
            mark(name, Marks::OF_PYTHON);
        }
        for name in names::OF_REQUESTS {
            mark(name, Marks::OF_REQUEST);
        }
        for name in Role::Method.names() {
            mark(name, Marks::OF_REQUEST);
            mark(first_of(name).0, Marks::OF_REQUEST);
        }
        for role in Role::ALL {
            for (place, name) in (0..).zip(role.names()) {
                let known = all.entry(name).or_default();
                (known.role, known.place) = (Some(*role), place);
                let (first, is_path) = first_of(name);
                if is_path {
                    all.entry(first).or_default().paths.insert(*role);
                }
            }
        }
        all
    }
}

/// Returns the first key of a path, and whether it is one.
fn first_of(name: &str) -> (&str, bool) {
    name.split_once('.')
        .map_or((name, false), |(first, _)| (first, true))
}

/// Returns the names of a role that may be paths, with their places.
pub(super) fn paths(role: Role) -> &'static [(u8, &'static str)] {
    static PATHS: LazyLock<Vec<Vec<(u8, &str)>>> = LazyLock::new(|| {
        let of_role = |role: &Role| {
            let names = (0..).zip(role.names().iter().copied());
            names.filter(|(_, name)| first_of(name).1).collect()
        };
        Role::ALL.iter().map(of_role).collect()
    });
    &PATHS[role as usize]
}

/// What is known of each name of a record.
pub(super) type KnownNames = SmallVec<[Known; 16]>;

/// Returns what is known of the name of each member.
pub(super) fn of_each(members: &[(Cow<'_, str>, JsonRef<'_>)]) -> KnownNames {
    thread_local! {
        static SEEN: RefCell<Seen> = RefCell::default();
    }
    SEEN.with_borrow_mut(|seen| {
        let mut before = Seen::START;
        let mut all = KnownNames::with_capacity(members.len());
        for (name, _) in members {
            all.push(seen.known(&mut before, name));
        }
        all
    })
}

/// Whether two names are the same. Most are short: they are compared without a call.
fn is_same(name: &str, other: &str) -> bool {
    let (name, other) = (name.as_bytes(), other.as_bytes());
    if name.len() != other.len() {
        return false;
    }
    match name.len() {
        4..=8 => {
            name.first_chunk::<4>() == other.first_chunk()
                && name.last_chunk::<4>() == other.last_chunk()
        }
        9..=16 => {
            name.first_chunk::<8>() == other.first_chunk()
                && name.last_chunk::<8>() == other.last_chunk()
        }
        _ => name == other,
    }
}

/// The names that were seen so far. Behind a name mostly comes one of those that came there before.
#[derive(Debug, Default)]
struct Seen {
    names: Vec<SeenName>,
    /// The index of each name.
    indices: HashMap<String, usize>,
    /// The indices of the names that a record began with, the last one first.
    first: Next,
}

/// Indices of two names: records of two kinds are often mixed.
type Next = [usize; 2];

#[derive(Debug)]
struct SeenName {
    name: String,
    known: Known,
    /// The indices of the names that came behind it, the last one first.
    next: Next,
}

impl Seen {
    /// The most names that are kept, and the most bytes of one.
    const MAX_NAMES: usize = 1_024;
    const MAX_LENGTH: usize = 64;
    /// Stands before the first name.
    const START: usize = usize::MAX;

    /// Returns what is known of a name. `before` is the index of the name before it, and becomes
    /// that of this one.
    fn known(&mut self, before: &mut usize, name: &str) -> Known {
        let expected = self.names.get(*before).map_or(self.first, |seen| seen.next);
        for index in expected {
            if let Some(seen) = self.names.get(index)
                && is_same(&seen.name, name)
            {
                *before = index;
                return seen.known;
            }
        }
        if name.len() > Self::MAX_LENGTH {
            return Known::of(name);
        }
        let index = self.index(before, name);
        let next = match self.names.get_mut(*before) {
            Some(seen) => &mut seen.next,
            None => &mut self.first,
        };
        *next = [index, next[0]];
        *before = index;
        self.names[index].known
    }

    /// Returns the index of a name, which is kept. If there are too many, the others are forgotten.
    fn index(&mut self, before: &mut usize, name: &str) -> usize {
        if let Some(index) = self.indices.get(name) {
            return *index;
        }
        if self.names.len() == Self::MAX_NAMES {
            *self = Self::default();
            *before = Self::START;
        }
        let index = self.names.len();
        self.names.push(SeenName {
            name: name.to_owned(),
            known: Known::of(name),
            next: Next::default(),
        });
        self.indices.insert(name.to_owned(), index);
        index
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Known, Marks, Role, Seen, is_same};

    #[test]
    fn known_names_are_those_of_the_lists() {
        let method = Known::of("req.method");
        assert_eq!(method.role, Some(Role::Method));
        assert!(method.marks.contains(Marks::OF_REQUEST));
        let object = Known::of("req");
        assert!(object.role.is_none() && object.paths.contains(Role::Method));
        assert!(!object.paths.contains(Role::Level));
        assert!(Known::of("x-api-key").marks.contains(Marks::SECRET));
        assert!(Known::of("a\0").marks.contains(Marks::CONTEXTUAL));
    }

    proptest! {
        #[test]
        fn same_names_are_those_with_the_same_bytes(
            name in "[ab]{0,18}",
            other in "[ab]{0,18}",
            changed in 0..18_usize,
        ) {
            prop_assert!(is_same(&name, &name.clone()));
            prop_assert_eq!(is_same(&name, &other), name == other);
            let mut near = name.clone().into_bytes();
            if let Some(byte) = near.get_mut(changed) {
                *byte = b'c';
                prop_assert!(!is_same(&name, std::str::from_utf8(&near).unwrap()));
            }
        }

        /// Whatever was seen before, and however many names there are.
        #[test]
        fn seen_names_are_known_as_others(
            records in prop::collection::vec(
                prop::collection::vec("(level|msg|time|password|req|[a-c]{1,4}|x{60,70})", 0..9),
                0..60,
            ),
            more in 0..3_000_usize,
        ) {
            let mut seen = Seen::default();
            for (number, record) in records.iter().enumerate() {
                let mut before = Seen::START;
                for name in record {
                    let known = seen.known(&mut before, name);
                    let expected = Known::of(name);
                    prop_assert_eq!(known.role, expected.role);
                    prop_assert_eq!(known.marks, expected.marks);
                    prop_assert_eq!(known.paths, expected.paths);
                    prop_assert!(!known.is_taken);
                }
                if number == 3 {
                    for other in 0..more {
                        seen.known(&mut before, &format!("other{other}"));
                    }
                }
                prop_assert!(seen.names.len() <= Seen::MAX_NAMES);
                prop_assert_eq!(seen.names.len(), seen.indices.len());
            }
        }
    }
}
