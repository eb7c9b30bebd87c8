//! JSON objects.

use std::collections::{BTreeMap, btree_map};
use std::fmt;
use std::iter::FusedIterator;
use std::ops::Index;
use std::{slice, vec};

use super::Json;

/// A JSON object, ordered by key.
///
/// Most objects have few members, which are a sorted list: faster to build and to drop than a
/// tree. One with many is a tree.
#[derive(Clone)]
pub struct JsonMap(Members);

#[derive(Clone)]
#[expect(
    clippy::box_collection,
    reason = "it makes the other variant, and each value, smaller"
)]
enum Members {
    /// In ascending order of the keys.
    Few(Vec<(String, Json)>),
    Many(Box<BTreeMap<String, Json>>),
}

/// The most members of a list: one more is put into its place in about the time that a tree takes.
const FEW: usize = 32;

impl JsonMap {
    /// Creates an empty object.
    #[must_use]
    pub const fn new() -> Self {
        Self(Members::Few(Vec::new()))
    }

    /// Returns the number of members.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Members::Few(members) => members.len(),
            Members::Many(members) => members.len(),
        }
    }

    /// Whether it has no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the value of a key; `None` if it is missing.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Json> {
        match &self.0 {
            Members::Few(members) => Some(&members[index_of(members, key).ok()?].1),
            Members::Many(members) => members.get(key),
        }
    }

    /// Returns the value of a key; `None` if it is missing.
    #[must_use]
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Json> {
        match &mut self.0 {
            Members::Few(members) => {
                let index = index_of(members, key).ok()?;
                Some(&mut members[index].1)
            }
            Members::Many(members) => members.get_mut(key),
        }
    }

    /// Whether it has a key.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Sets the value of a key, and returns the value that it had.
    pub fn insert(&mut self, key: String, value: Json) -> Option<Json> {
        if let Members::Few(members) = &mut self.0
            && members.len() < FEW
            && members.last().is_none_or(|(last, _)| *last < key)
        {
            members.push((key, value));
            return None;
        }
        let (slot, is_new) = self.slot(key);
        let before = std::mem::replace(slot, value);
        (!is_new).then_some(before)
    }

    /// Returns the value of a key; if it is missing, it becomes `null` first.
    pub fn get_or_insert_null(&mut self, key: String) -> &mut Json {
        self.slot(key).0
    }

    /// Returns the value of a key, and whether it is a new one, which is `null`.
    fn slot(&mut self, key: String) -> (&mut Json, bool) {
        if let Members::Few(members) = &mut self.0
            && members.len() >= FEW
            && index_of(members, &key).is_err()
        {
            self.0 = Members::Many(Box::new(std::mem::take(members).into_iter().collect()));
        }
        match &mut self.0 {
            Members::Few(members) => match index_of(members, &key) {
                Ok(index) => (&mut members[index].1, false),
                Err(index) => {
                    members.insert(index, (key, Json::Null));
                    (&mut members[index].1, true)
                }
            },
            Members::Many(members) => match members.entry(key) {
                btree_map::Entry::Occupied(entry) => (entry.into_mut(), false),
                btree_map::Entry::Vacant(entry) => (entry.insert(Json::Null), true),
            },
        }
    }

    /// Removes a key, and returns its value; `None` if it is missing.
    pub fn remove(&mut self, key: &str) -> Option<Json> {
        match &mut self.0 {
            Members::Few(members) => {
                let index = index_of(members, key).ok()?;
                Some(members.remove(index).1)
            }
            Members::Many(members) => members.remove(key),
        }
    }

    /// Keeps the members that are accepted.
    pub fn retain(&mut self, mut accepts: impl FnMut(&String, &mut Json) -> bool) {
        match &mut self.0 {
            Members::Few(members) => members.retain_mut(|(key, value)| accepts(key, value)),
            Members::Many(members) => members.retain(accepts),
        }
    }

    /// Moves all members of another object into this one. They replace those with the same key.
    pub fn append(&mut self, other: &mut Self) {
        let other = std::mem::take(other);
        if self.is_empty() {
            *self = other;
        } else {
            self.extend(other);
        }
    }

    /// Returns the members, in ascending order of the keys.
    pub fn iter(&self) -> Iter<'_> {
        Iter(match &self.0 {
            Members::Few(members) => Either::Few(members.iter()),
            Members::Many(members) => Either::Many(members.iter()),
        })
    }

    /// Returns the members, in ascending order of the keys.
    pub fn iter_mut(&mut self) -> IterMut<'_> {
        IterMut(match &mut self.0 {
            Members::Few(members) => Either::Few(members.iter_mut()),
            Members::Many(members) => Either::Many(members.iter_mut()),
        })
    }

    /// Returns the keys, in ascending order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &String> + ExactSizeIterator + Clone {
        self.iter().map(|(key, _)| key)
    }

    /// Returns the values, in ascending order of the keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &Json> + ExactSizeIterator + Clone {
        self.iter().map(|(_, value)| value)
    }

    /// Returns the values, in ascending order of the keys.
    pub fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut Json> + ExactSizeIterator {
        self.iter_mut().map(|(_, value)| value)
    }
}

/// Returns the index of a key, or that which it gets.
fn index_of(members: &[(String, Json)], key: &str) -> Result<usize, usize> {
    // Members mostly come in order.
    if members.last().is_none_or(|(last, _)| last.as_str() < key) {
        return Err(members.len());
    }
    members.binary_search_by(|(other, _)| other.as_str().cmp(key))
}

impl Default for JsonMap {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for JsonMap {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for JsonMap {}

impl fmt::Debug for JsonMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Returns the value of a key.
///
/// # Panics
///
/// The key is missing.
impl Index<&str> for JsonMap {
    type Output = Json;

    fn index(&self, key: &str) -> &Json {
        match self.get(key) {
            Some(value) => value,
            None => panic!("the object has no key {key}"),
        }
    }
}

impl Extend<(String, Json)> for JsonMap {
    fn extend<I: IntoIterator<Item = (String, Json)>>(&mut self, members: I) {
        for (key, value) in members {
            *self.get_or_insert_null(key) = value;
        }
    }
}

/// If a key occurs twice, the last value counts.
impl From<Vec<(String, Json)>> for JsonMap {
    fn from(mut members: Vec<(String, Json)>) -> Self {
        if members.len() > FEW {
            return Self(Members::Many(Box::new(members.into_iter().collect())));
        }
        if !members.is_sorted_by(|(key, _), (next, _)| key < next) {
            // Values of one key stay in their order.
            members.sort_by(|(key, _), (other, _)| key.cmp(other));
            members.dedup_by(|(key, value), (before, kept)| {
                let is_same = key == before;
                if is_same {
                    std::mem::swap(value, kept);
                }
                is_same
            });
        }
        Self(Members::Few(members))
    }
}

/// If a key occurs twice, the last value counts.
impl FromIterator<(String, Json)> for JsonMap {
    fn from_iter<I: IntoIterator<Item = (String, Json)>>(members: I) -> Self {
        members.into_iter().collect::<Vec<_>>().into()
    }
}

/// If a key occurs twice, the last value counts.
impl<const N: usize> From<[(String, Json); N]> for JsonMap {
    fn from(members: [(String, Json); N]) -> Self {
        members.into_iter().collect()
    }
}

/// The iterator of a list, or that of a tree.
#[derive(Clone, Debug)]
enum Either<F, M> {
    Few(F),
    Many(M),
}

macro_rules! iterators {
    ($($(#[$meta:meta])+ $name:ident<$($lifetime:lifetime)?> of $map:ty: $few:ty, $many:ty, $item:ty, $of_few:expr;)+) => {
        $(
            $(#[$meta])+
            pub struct $name<$($lifetime)?>(Either<$few, $many>);

            impl<$($lifetime)?> Iterator for $name<$($lifetime)?> {
                type Item = $item;

                fn next(&mut self) -> Option<Self::Item> {
                    match &mut self.0 {
                        Either::Few(members) => members.next().map($of_few),
                        Either::Many(members) => members.next(),
                    }
                }

                fn size_hint(&self) -> (usize, Option<usize>) {
                    match &self.0 {
                        Either::Few(members) => members.size_hint(),
                        Either::Many(members) => members.size_hint(),
                    }
                }
            }

            impl<$($lifetime)?> DoubleEndedIterator for $name<$($lifetime)?> {
                fn next_back(&mut self) -> Option<Self::Item> {
                    match &mut self.0 {
                        Either::Few(members) => members.next_back().map($of_few),
                        Either::Many(members) => members.next_back(),
                    }
                }
            }

            impl<$($lifetime)?> ExactSizeIterator for $name<$($lifetime)?> {}
            impl<$($lifetime)?> FusedIterator for $name<$($lifetime)?> {}

            impl<$($lifetime)?> IntoIterator for $map {
                type Item = $item;
                type IntoIter = $name<$($lifetime)?>;

                fn into_iter(self) -> Self::IntoIter {
                    iterators!(@new $name self)
                }
            }
        )+
    };
    (@new Iter $map:ident) => { $map.iter() };
    (@new IterMut $map:ident) => { $map.iter_mut() };
    (@new IntoIter $map:ident) => {
        IntoIter(match $map.0 {
            Members::Few(members) => Either::Few(members.into_iter()),
            Members::Many(members) => Either::Many(members.into_iter()),
        })
    };
}

iterators! {
    /// The members of a [`JsonMap`].
    #[derive(Clone, Debug)]
    Iter<'a> of &'a JsonMap: slice::Iter<'a, (String, Json)>, btree_map::Iter<'a, String, Json>, (&'a String, &'a Json), |(key, value)| (key, value);
    /// The members of a [`JsonMap`], to change their values.
    #[derive(Debug)]
    IterMut<'a> of &'a mut JsonMap: slice::IterMut<'a, (String, Json)>, btree_map::IterMut<'a, String, Json>, (&'a String, &'a mut Json), |(key, value)| (&*key, value);
    /// The members of a [`JsonMap`].
    #[derive(Debug)]
    IntoIter<> of JsonMap: vec::IntoIter<(String, Json)>, btree_map::IntoIter<String, Json>, (String, Json), |member| member;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::{FEW, JsonMap};
    use crate::Json;

    /// A change of an object.
    #[derive(Clone, Debug)]
    enum Change {
        Insert(String, i64),
        Remove(String),
        Append(Vec<(String, i64)>),
    }

    fn change() -> impl Strategy<Value = Change> {
        let key = || "[a-d]{0,3}";
        prop_oneof![
            8 => (key(), any::<i64>()).prop_map(|(key, value)| Change::Insert(key, value)),
            2 => key().prop_map(Change::Remove),
            1 => prop::collection::vec((key(), any::<i64>()), 0..50).prop_map(Change::Append),
        ]
    }

    proptest! {
        #[test]
        fn object_is_as_a_tree(changes in prop::collection::vec(change(), 0..120)) {
            let (mut map, mut tree) = (JsonMap::new(), BTreeMap::new());
            for change in changes {
                match change {
                    Change::Insert(key, value) => {
                        let before = map.insert(key.clone(), value.into());
                        prop_assert_eq!(before, tree.insert(key, Json::from(value)));
                    }
                    Change::Remove(key) => {
                        prop_assert_eq!(map.remove(&key), tree.remove(&key));
                        prop_assert_eq!(map.get(&key), None);
                    }
                    Change::Append(members) => {
                        let members = members.into_iter().map(|(key, value)| (key, Json::from(value)));
                        let mut other: JsonMap = members.clone().collect();
                        map.append(&mut other);
                        prop_assert!(other.is_empty());
                        tree.extend(members);
                    }
                }
                prop_assert_eq!(map.len(), tree.len());
                prop_assert!(map.iter().eq(tree.iter()));
                prop_assert!(map.iter().rev().eq(tree.iter().rev()));
            }
            for (key, value) in &tree {
                prop_assert_eq!(map.get(key), Some(value));
                prop_assert!(map.get_mut(key).is_some_and(|found| *found == *value));
            }
            // Equal objects are equal, whether they are lists or trees.
            let equal: JsonMap = tree.clone().into_iter().collect();
            prop_assert_eq!(&map, &equal);
            for value in map.values_mut() {
                *value = Json::Null;
            }
            prop_assert!(map.values().all(Json::is_null));
            prop_assert!(map.into_iter().map(|(key, _)| key).eq(tree.into_keys()));
        }
    }

    #[test]
    fn object_of_many_members_equals_one_that_had_more() {
        let member = |n: usize| (n.to_string(), Json::from(1));
        let few: JsonMap = (0..FEW).map(member).collect();
        let mut many: JsonMap = (0..FEW + 1).map(member).collect();
        assert_ne!(few, many);
        many.remove(&FEW.to_string());
        assert_eq!(few, many);
    }
}
