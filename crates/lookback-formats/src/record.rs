//! The fields of a record, borrowed from its line.

mod known;

use std::borrow::Cow;

use lookback::Json;
use lookback::value::{JsonMap, JsonRef};
use smallvec::SmallVec;

use self::known::{Known, KnownNames, Marks};
use crate::fields::Fields;
use crate::json::names::{Role, RoleSet};
use crate::time::Rules;
use lookback_json::secrets::{is_storable, mask_field, mask_object, mask_text};

/// The fields of an object, by their names, in the order of the text.
pub(crate) type Members<'a> = Vec<(Cow<'a, str>, JsonRef<'a>)>;

/// The fields of a record. Those that are taken out of it become columns, and the others its
/// `meta`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record<'a> {
    members: Members<'a>,
    /// What is known of each name.
    known: KnownNames,
    candidates: SmallVec<[Candidate; 8]>,
    /// The marks of all names.
    marks: Marks,
    /// The roles that a field within an object may have.
    paths: RoleSet,
}

/// A field whose name is that of a role.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    role: Role,
    /// The place of the name in the list of the role.
    place: u8,
    index: u32,
}

/// A field that was found by its role.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found<'n> {
    pub(crate) name: &'n str,
    /// `None` if the name is a path.
    index: Option<usize>,
}

/// A field that was taken out of a record.
#[derive(Debug)]
pub(crate) struct Taken<'n, 'a> {
    found: Found<'n>,
    /// The value, if the name is a path.
    of_path: Option<JsonRef<'a>>,
}

impl<'a> Record<'a> {
    pub(crate) fn new(members: Members<'a>) -> Self {
        let known = known::of_each(&members);
        let mut candidates = SmallVec::new();
        let (mut marks, mut paths) = (Marks::default(), RoleSet::default());
        for (index, (known, (_, value))) in (0..).zip(known.iter().zip(&members)) {
            marks.add(known.marks);
            if let Some(role) = known.role {
                let place = known.place;
                candidates.push(Candidate { role, place, index });
            }
            if matches!(value, JsonRef::Object(_)) {
                paths.extend(known.paths);
            }
        }
        Self {
            members,
            known,
            candidates,
            marks,
            paths,
        }
    }

    /// Returns the names of the fields that are left, and their values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &JsonRef<'a>)> {
        let all = self.members.iter().zip(&self.known);
        all.filter(|(_, known)| !known.is_taken)
            .map(|((name, value), _)| (&**name, value))
    }

    /// Whether a field has a name that a format of its own may have, or it is a list alone.
    pub(crate) fn may_be_of_format(&self) -> bool {
        self.marks.contains(Marks::OF_FORMAT) || self.list_alone().is_some()
    }

    /// Returns the name and the items of a list, if it is the only field.
    pub(crate) fn list_alone(&self) -> Option<(&str, &[JsonRef<'a>])> {
        match self.members.as_slice() {
            [(name, JsonRef::Array(items))] => Some((name, items)),
            _ => None,
        }
    }

    /// Whether a field that is left has a name that a request may have.
    pub(crate) fn may_be_request(&self) -> bool {
        let is_left = |known: &Known| known.marks.contains(Marks::OF_REQUEST) && !known.is_taken;
        self.marks.contains(Marks::OF_REQUEST) && self.known.iter().any(is_left)
    }

    /// Whether an object may have a field of a role within it.
    pub(crate) fn may_have_path(&self, role: Role) -> bool {
        self.paths.contains(role)
    }

    /// Whether numbers of levels are those of Python.
    pub(crate) fn is_of_python(&self) -> bool {
        self.marks.contains(Marks::OF_PYTHON)
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.index(name).is_some()
    }

    /// Returns the first field of a role that is accepted. A null is none.
    pub(crate) fn find(
        &self,
        role: Role,
        mut accepts: impl FnMut(&JsonRef<'_>) -> bool,
    ) -> Option<Found<'static>> {
        let mut from = 0;
        while let Some((place, index)) = self.next_of(role, from) {
            let name = role.names()[usize::from(place)];
            let found = Found { name, index };
            let value = self.value(found);
            if value.is_some_and(|value| *value != JsonRef::Null && accepts(value)) {
                return Some(found);
            }
            from = place + 1;
        }
        None
    }

    /// As [`find`](Self::find), but names that the rules give come first.
    pub(crate) fn find_by<'n>(
        &self,
        rules: Rules<'n>,
        role: Role,
        mut accepts: impl FnMut(&JsonRef<'_>) -> bool,
    ) -> Option<Found<'n>> {
        for name in rules.names.of(role) {
            let value = self.get(name);
            if value.is_some_and(|value| *value != JsonRef::Null && accepts(value)) {
                return Some(Found { name, index: None });
            }
        }
        self.find(role, accepts)
    }

    /// Returns the first field whose name is in no list, but says that it has a role.
    pub(crate) fn find_alike(
        &self,
        role: Role,
        mut accepts: impl FnMut(&JsonRef<'_>) -> bool,
    ) -> Option<(&str, &JsonRef<'a>)> {
        let mark = Marks::alike(role);
        if !self.marks.contains(mark) {
            return None;
        }
        let mut fields = self.members.iter().zip(&self.known);
        let is_one = |known: &Known| known.marks.contains(mark) && !known.is_taken;
        let found = fields.find(|((_, value), known)| is_one(known) && accepts(value));
        found.map(|((name, value), _)| (&**name, value))
    }

    /// Returns the field with a name, if it is accepted.
    pub(crate) fn find_name(
        &self,
        name: &'static str,
        accepts: impl FnOnce(&JsonRef<'_>) -> bool,
    ) -> Option<Found<'static>> {
        let index = self.index(name)?;
        accepts(&self.members[index].1).then_some(Found {
            name,
            index: Some(index),
        })
    }

    /// Returns the first place of a role, from one on, that a field has, and the index of that
    /// field; of a path there is none.
    fn next_of(&self, role: Role, from: u8) -> Option<(u8, Option<usize>)> {
        let of_role = self.candidates.iter().filter(|candidate| {
            candidate.role == role
                && candidate.place >= from
                && !self.known[candidate.index as usize].is_taken
        });
        let key = of_role.min_by_key(|candidate| candidate.place);
        let key = key.map(|candidate| (candidate.place, Some(candidate.index as usize)));
        if !self.paths.contains(role) {
            return key;
        }
        let paths = known::paths(role).iter();
        let mut paths = paths.filter(|(place, _)| *place >= from);
        let path = paths.find(|(_, name)| self.get(name).is_some());
        let path = path.map(|(place, _)| (*place, None));
        key.into_iter().chain(path).min_by_key(|(place, _)| *place)
    }

    fn index(&self, name: &str) -> Option<usize> {
        let mut all = self.members.iter().zip(&self.known);
        all.position(|((other, _), known)| other == name && !known.is_taken)
    }

    /// Returns the value of a field that was found.
    pub(crate) fn value(&self, found: Found<'_>) -> Option<&JsonRef<'a>> {
        match found.index {
            Some(index) => Some(&self.members[index].1),
            None => self.get(found.name),
        }
    }

    /// Takes a field that was found.
    pub(crate) fn take_found(&mut self, found: Found<'_>) -> Option<JsonRef<'a>> {
        match found.index {
            Some(index) => Some(self.take_at(index)),
            None => self.take(found.name),
        }
    }

    /// Takes a field out of those that are left; it can be read, and put back.
    pub(crate) fn take_out<'n>(&mut self, found: Found<'n>) -> Taken<'n, 'a> {
        let of_path = match found.index {
            Some(index) => {
                self.known[index].is_taken = true;
                None
            }
            None => self.take(found.name),
        };
        Taken { found, of_path }
    }

    /// Returns the value of a field that was taken out.
    pub(crate) fn taken<'t>(&'t self, taken: &'t Taken<'_, 'a>) -> &'t JsonRef<'a> {
        match (&taken.of_path, taken.found.index) {
            (Some(value), _) => value,
            (None, Some(index)) => &self.members[index].1,
            (None, None) => &JsonRef::Null,
        }
    }

    /// Puts back a field that was taken out. One of a path is a field now, with `of` before its
    /// name if there is another one.
    pub(crate) fn put_back(&mut self, of: &str, taken: Taken<'_, 'a>) {
        match (taken.of_path, taken.found.index) {
            (Some(value), _) => self.insert_beside(of, taken.found.name.to_owned().into(), value),
            (None, Some(index)) => self.known[index].is_taken = false,
            (None, None) => {}
        }
    }

    fn take_at(&mut self, index: usize) -> JsonRef<'a> {
        self.known[index].is_taken = true;
        std::mem::replace(&mut self.members[index].1, JsonRef::Null)
    }

    /// Adds a field, with a name that no field has.
    pub(crate) fn insert(&mut self, name: Cow<'a, str>, value: JsonRef<'a>) {
        let known = Known::of(&name);
        self.marks.add(known.marks);
        self.known.push(known);
        self.members.push((name, value));
    }

    /// Adds a field. If another one has its name, it gets one with what it is of before it.
    pub(crate) fn insert_beside(&mut self, of: &str, mut name: Cow<'a, str>, value: JsonRef<'a>) {
        while let Some(other) = self.get(&name) {
            if *other == value {
                return;
            }
            name = format!("{of}.{name}").into();
        }
        self.insert(name, value);
    }

    /// Takes the fields that are left.
    pub(crate) fn take_map(&mut self) -> JsonMap {
        let Self { members, known, .. } = std::mem::take(self);
        let left = members.into_iter().zip(known);
        left.filter(|(_, known)| !known.is_taken)
            .map(|((name, value), _)| (name.into_owned(), value.into_json()))
            .collect()
    }

    /// Takes the fields that are left, without secrets.
    pub(crate) fn take_masked(&mut self) -> JsonMap {
        if self.marks.contains(Marks::CONTEXTUAL) {
            let mut map = self.take_map();
            mask_object(&mut map);
            return map;
        }
        let count = self.known.iter().filter(|known| !known.is_taken).count();
        let mut left = Vec::with_capacity(count);
        for ((name, value), known) in self.members.iter_mut().zip(&mut self.known) {
            if !std::mem::replace(&mut known.is_taken, true) {
                let value = masked(value, known.marks.contains(Marks::SECRET));
                left.push((name.as_ref().to_owned(), value));
            }
        }
        left.into()
    }
}

/// Takes a value without its secrets.
fn masked(value: &mut JsonRef<'_>, is_secret: bool) -> Json {
    /// The digits of the shortest number of a card.
    const CARD: usize = 13;
    match value {
        JsonRef::String(Cow::Borrowed(text)) if !is_secret => {
            Json::String(mask_text(text).into_owned())
        }
        JsonRef::Number(number) if !is_secret && number.len() < CARD && is_storable(number) => {
            std::mem::replace(value, JsonRef::Null).into_json()
        }
        JsonRef::Null | JsonRef::Bool(_) if !is_secret => {
            std::mem::replace(value, JsonRef::Null).into_json()
        }
        value => {
            let mut value = std::mem::replace(value, JsonRef::Null).into_json();
            mask_field(is_secret, &mut value);
            value
        }
    }
}

impl<'a> Fields for Record<'a> {
    type Value = JsonRef<'a>;

    fn get(&self, name: &str) -> Option<&JsonRef<'a>> {
        if let Some(index) = self.index(name) {
            return Some(&self.members[index].1);
        }
        let (first, rest) = name.split_once('.')?;
        let JsonRef::Object(inner) = &self.members[self.index(first)?].1 else {
            return None;
        };
        get_in(inner, rest)
    }

    fn take(&mut self, name: &str) -> Option<JsonRef<'a>> {
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

fn take_in<'a>(members: &mut Members<'a>, name: &str) -> Option<JsonRef<'a>> {
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

/// Whether a value is a string, number or truth value.
pub(crate) fn is_text(value: &JsonRef<'_>) -> bool {
    matches!(
        value,
        JsonRef::String(_) | JsonRef::Number(_) | JsonRef::Bool(_)
    )
}
