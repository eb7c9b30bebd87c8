//! The fields of a record, borrowed from its line.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use lookback::value::{JsonMap, JsonRef};

use crate::json::names::{self, Role};
use crate::secrets::{is_secret_name, mask_field, mask_object};
use crate::time::Rules;

/// The fields of a record. Those that are taken out of it become columns, and the others its
/// `meta`.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    members: Vec<(Cow<'a, str>, JsonRef<'a>)>,
    /// What is known of each name.
    known: Vec<Known>,
    /// The bits of the first fields that may have each role.
    candidates: [u64; Role::COUNT],
    /// Whether one of them may be the first part of a path.
    has_paths: bool,
}

/// The number of fields whose roles are bits.
const FIRST: usize = 64;

/// What is known of a name.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// The place of the name in the list of each role, from 1; 0 if it is in none.
    places: [u8; Role::COUNT],
    has_role: bool,
    /// Whether a format of its own may have it.
    is_of_format: bool,
    /// Whether the record may be that of a request.
    is_of_request: bool,
    /// Whether numbers of levels are those of Python.
    is_of_python: bool,
    is_first_of_path: bool,
    is_secret: bool,
    /// Whether what is masked does not depend on this name alone.
    is_odd: bool,
    is_taken: bool,
}

impl Known {
    fn of(name: &str) -> Self {
        static NAMES: LazyLock<HashMap<&str, Known>> = LazyLock::new(Known::all);
        Self {
            is_secret: is_secret_name(name),
            // The value may be that of the name beside it.
            is_odd: name == "value" || name.contains('\0'),
            ..NAMES.get(name).copied().unwrap_or_default()
        }
    }

    fn all() -> HashMap<&'static str, Self> {
        let mut all: HashMap<&str, Self> = HashMap::new();
        for role in Role::ALL {
            for (place, name) in (1..).zip(role.names()) {
                let known = all.entry(name).or_default();
                known.places[role as usize] = place;
                known.has_role = true;
                if let Some((first, _)) = name.split_once('.') {
                    all.entry(first).or_default().is_first_of_path = true;
                }
            }
        }
        for name in names::of_formats() {
            all.entry(name).or_default().is_of_format = true;
        }
        for name in names::OF_PYTHON {
            all.entry(name).or_default().is_of_python = true;
        }
        for name in names::of_requests() {
            let first = name.split_once('.').map_or(name, |(first, _)| first);
            all.entry(name).or_default().is_of_request = true;
            all.entry(first).or_default().is_of_request = true;
        }
        all
    }
}

/// The names of the last record's fields: the next record mostly has the same, in the same order.
#[derive(Debug, Default)]
pub(crate) struct Seen(Vec<(String, Known)>);

impl Seen {
    fn known(&mut self, index: usize, name: &str) -> Known {
        const MAX_FIELDS: usize = 256;
        const MAX_LENGTH: usize = 256;
        if let Some((seen, known)) = self.0.get(index)
            && seen == name
        {
            return *known;
        }
        let known = Known::of(name);
        if name.len() <= MAX_LENGTH {
            if let Some(seen) = self.0.get_mut(index) {
                *seen = (name.to_owned(), known);
            } else if self.0.len() == index && index < MAX_FIELDS {
                self.0.push((name.to_owned(), known));
            }
        }
        known
    }
}

impl<'a> Record<'a> {
    pub(crate) fn new(members: Vec<(Cow<'a, str>, JsonRef<'a>)>, seen: &mut Seen) -> Self {
        let mut has_paths = false;
        let mut candidates = [0; Role::COUNT];
        let mut known = Vec::with_capacity(members.len());
        for (index, (name, value)) in members.iter().enumerate() {
            let of_name = seen.known(index, name);
            has_paths |= of_name.is_first_of_path && matches!(value, JsonRef::Object(_));
            if of_name.has_role && index < FIRST {
                for (fields, place) in candidates.iter_mut().zip(of_name.places) {
                    *fields |= u64::from(place > 0) << index;
                }
            }
            known.push(of_name);
        }
        Self {
            members,
            known,
            candidates,
            has_paths,
        }
    }

    /// Borrows from an object.
    pub(crate) fn of_map(map: &'a JsonMap) -> Self {
        let member = |(name, value): (&'a String, &'a lookback::Json)| {
            (Cow::Borrowed(&**name), JsonRef::from(value))
        };
        Self::new(map.iter().map(member).collect(), &mut Seen::default())
    }

    /// Whether a field has a name that a format of its own may have.
    pub(crate) fn may_be_of_format(&self) -> bool {
        self.known.iter().any(|known| known.is_of_format)
    }

    /// Whether a field that is left has a name that a request may have.
    pub(crate) fn may_be_request(&self) -> bool {
        let mut known = self.known.iter();
        known.any(|known| known.is_of_request && !known.is_taken)
    }

    /// Whether numbers of levels are those of Python.
    pub(crate) fn is_of_python(&self) -> bool {
        self.known.iter().any(|known| known.is_of_python)
    }

    /// Returns the name of the first field of a role that is accepted: names that the rules give
    /// come first. A null is none.
    pub(crate) fn find<'n>(
        &self,
        role: Role,
        rules: Rules<'n>,
        mut accepts: impl FnMut(&JsonRef<'_>) -> bool,
    ) -> Option<&'n str> {
        let mut is_one = |value: &JsonRef<'_>| *value != JsonRef::Null && accepts(value);
        for name in rules.names.of(role) {
            if self.get(name).is_some_and(&mut is_one) {
                return Some(name);
            }
        }
        let names = role.names();
        let mut from = 1;
        while let Some((place, index)) = self.next_of(role, from) {
            let name = names[usize::from(place) - 1];
            let value = match index {
                Some(index) => Some(&self.members[index].1),
                None => self.get(name),
            };
            if value.is_some_and(&mut is_one) {
                return Some(name);
            }
            from = place + 1;
        }
        None
    }

    /// Returns the first place of a role, from one on, that a field has, and the index of that
    /// field; of a path there is none.
    fn next_of(&self, role: Role, from: u8) -> Option<(u8, Option<usize>)> {
        let mut key: Option<(u8, Option<usize>)> = None;
        let mut add = |index: usize| {
            let known = &self.known[index];
            let place = known.places[role as usize];
            let is_next = place >= from && key.is_none_or(|(first, _)| place < first);
            if is_next && !known.is_taken {
                key = Some((place, Some(index)));
            }
        };
        let mut fields = self.candidates[role as usize];
        while fields != 0 {
            add(fields.trailing_zeros() as usize);
            fields &= fields - 1;
        }
        (FIRST..self.known.len()).for_each(add);
        if !self.has_paths {
            return key;
        }
        let paths = (1..).zip(role.names());
        let path = paths
            .skip(usize::from(from) - 1)
            .find(|(_, name)| name.contains('.') && self.get(name).is_some());
        let path = path.map(|(place, _)| (place, None));
        key.into_iter().chain(path).min_by_key(|(place, _)| *place)
    }

    fn index(&self, name: &str) -> Option<usize> {
        let index = self.members.iter().position(|(other, _)| other == name)?;
        (!self.known[index].is_taken).then_some(index)
    }

    /// Returns a field by its name or path.
    pub(crate) fn get(&self, name: &str) -> Option<&JsonRef<'a>> {
        if let Some(index) = self.index(name) {
            return Some(&self.members[index].1);
        }
        let (first, rest) = name.split_once('.')?;
        let JsonRef::Object(inner) = &self.members[self.index(first)?].1 else {
            return None;
        };
        get_in(inner, rest)
    }

    /// Takes a field by its name or path, and objects that are empty then.
    pub(crate) fn take(&mut self, name: &str) -> Option<JsonRef<'a>> {
        if let Some(index) = self.index(name) {
            return Some(self.take_at(index));
        }
        let (first, rest) = name.split_once('.')?;
        let index = self.index(first)?;
        let JsonRef::Object(inner) = &mut self.members[index].1 else {
            return None;
        };
        let value = take_in(inner, rest)?;
        if inner.is_empty() {
            self.take_at(index);
        }
        Some(value)
    }

    fn take_at(&mut self, index: usize) -> JsonRef<'a> {
        self.known[index].is_taken = true;
        std::mem::replace(&mut self.members[index].1, JsonRef::Null)
    }

    /// Returns the fields that are left.
    pub(crate) fn into_map(self) -> JsonMap {
        let left = self.members.into_iter().zip(self.known);
        left.filter(|(_, known)| !known.is_taken)
            .map(|((name, value), _)| (name.into_owned(), value.into_json()))
            .collect()
    }

    /// Returns the fields that are left, without secrets.
    pub(crate) fn into_masked(self) -> JsonMap {
        if self.known.iter().any(|known| known.is_odd) {
            let mut map = self.into_map();
            mask_object(&mut map);
            return map;
        }
        let mut map = JsonMap::new();
        for ((name, value), known) in self.members.into_iter().zip(self.known) {
            if known.is_taken {
                continue;
            }
            let mut value = value.into_json();
            mask_field(known.is_secret, &mut value);
            map.insert(name.into_owned(), value);
        }
        map
    }
}

fn get_in<'m, 'a>(
    members: &'m [(Cow<'a, str>, JsonRef<'a>)],
    name: &str,
) -> Option<&'m JsonRef<'a>> {
    let of_name = |name: &str| members.iter().find(|(other, _)| other == name);
    if let Some((_, value)) = of_name(name) {
        return Some(value);
    }
    let (first, rest) = name.split_once('.')?;
    match &of_name(first)?.1 {
        JsonRef::Object(inner) => get_in(inner, rest),
        _ => None,
    }
}

fn take_in<'a>(members: &mut Vec<(Cow<'a, str>, JsonRef<'a>)>, name: &str) -> Option<JsonRef<'a>> {
    if let Some(index) = members.iter().position(|(other, _)| other == name) {
        return Some(members.remove(index).1);
    }
    let (first, rest) = name.split_once('.')?;
    let index = members.iter().position(|(other, _)| other == first)?;
    let JsonRef::Object(inner) = &mut members[index].1 else {
        return None;
    };
    let value = take_in(inner, rest)?;
    if inner.is_empty() {
        members.remove(index);
    }
    Some(value)
}

/// The text of a string, number or truth value.
pub(crate) fn text_of(value: &JsonRef<'_>) -> Option<String> {
    match value {
        JsonRef::String(text) => Some(text.clone().into_owned()),
        JsonRef::Number(text) => Some((*text).to_owned()),
        JsonRef::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

/// Whether a value is a string, number or truth value.
pub(crate) fn is_text(value: &JsonRef<'_>) -> bool {
    matches!(
        value,
        JsonRef::String(_) | JsonRef::Number(_) | JsonRef::Bool(_)
    )
}
