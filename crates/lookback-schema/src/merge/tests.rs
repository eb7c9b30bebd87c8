//! Merging schemas that two people change at the same time.

use proptest::prelude::*;

use super::{Conflict, merge};
use crate::schema::{Column, Fill, Schema, Table};
use crate::syntax::Name;

fn shop() -> Schema {
    let mut shop = Schema::default();
    shop.enums.insert(
        Name::new("state"),
        vec!["new".to_owned(), "sent".to_owned()],
    );
    for (name, columns) in [
        (
            "customers",
            "id bigint, email text, age integer, born integer",
        ),
        (
            "orders",
            "id bigint, customer bigint, total integer, note text, state state",
        ),
    ] {
        let mut table = Table::default();
        for column in columns.split(", ") {
            let (name, ty) = column.split_once(' ').unwrap();
            table.columns.push(Column::new(name, ty.parse().unwrap()));
        }
        shop.tables.insert(Name::new(name), table);
        constraint(&mut shop, name, &format!("{name}_pkey"), "PRIMARY KEY (id)");
    }
    index(&mut shop, "orders", "orders_note_idx", "(note)");
    shop.completed().unwrap()
}

fn table<'s>(schema: &'s mut Schema, name: &str) -> &'s mut Table {
    schema.tables.get_mut(&Name::new(name)).unwrap()
}

fn column<'s>(schema: &'s mut Schema, of: &str, name: &str) -> &'s mut Column {
    let columns = &mut table(schema, of).columns;
    columns
        .iter_mut()
        .find(|column| column.name == name)
        .unwrap()
}

fn add(schema: &mut Schema, of: &str, name: &str, ty: &str) {
    let columns = &mut table(schema, of).columns;
    columns.push(Column::new(name, ty.parse().unwrap()));
}

fn constraint(schema: &mut Schema, of: &str, name: &str, text: &str) {
    let constraints = &mut table(schema, of).constraints;
    constraints.insert(name.to_owned(), text.parse().unwrap());
}

fn index(schema: &mut Schema, of: &str, name: &str, text: &str) {
    let indexes = &mut table(schema, of).indexes;
    indexes.insert(name.to_owned(), text.parse().unwrap());
}

fn drop_column(schema: &mut Schema, of: &str, name: &str) {
    table(schema, of)
        .columns
        .retain(|column| column.name != name);
}

type Edit = fn(&mut Schema);

fn edited(edit: Edit) -> Schema {
    let mut schema = shop();
    edit(&mut schema);
    schema.completed().unwrap()
}

/// Changes that are independent of each other.
const EDITS: [Edit; 12] = [
    |s| add(s, "orders", "weight", "integer"),
    |s| add(s, "orders", "color", "text"),
    |s| index(s, "orders", "orders_total_idx", "(total)"),
    |s| {
        constraint(
            s,
            "customers",
            "customers_email_check",
            "CHECK (email <> '')",
        );
    },
    |s| drop_column(s, "customers", "born"),
    |s| column(s, "customers", "age").data_type = "bigint".parse().unwrap(),
    |s| column(s, "orders", "total").fill = Fill::Default("0".parse().unwrap()),
    |s| column(s, "orders", "total").comment = Some("cents".to_owned()),
    |s| table(s, "customers").comment = Some("who".to_owned()),
    |s| {
        let labels = s.enums.get_mut(&Name::new("state")).unwrap();
        labels.push("lost".to_owned());
    },
    |s| {
        s.extensions.insert("citext".to_owned());
        s.tables.insert(
            Name::new("notes"),
            Table {
                columns: vec![Column::new("text", "citext".parse().unwrap())],
                ..Table::default()
            },
        );
    },
    |s| {
        table(s, "orders").indexes.remove("orders_note_idx");
        constraint(
            s,
            "orders",
            "orders_customer_fkey",
            "FOREIGN KEY (customer) REFERENCES customers",
        );
    },
];

#[test]
fn merge_of_changes_of_different_objects_makes_both() {
    for (at, one) in EDITS.iter().enumerate() {
        for other in &EDITS[at + 1..] {
            let mut both = shop();
            one(&mut both);
            other(&mut both);
            let both = both.completed().unwrap();
            let (first, second) = (edited(*one), edited(*other));
            assert_eq!(merge(&shop(), &first, &second), Ok(both.clone()));
            assert_eq!(merge(&shop(), &second, &first), Ok(both));
        }
    }
}

proptest! {
    /// The changes are merged in either order, and with other ones before them.
    #[test]
    fn merge_of_disjoint_changes_is_independent_of_order(owners in prop::collection::vec(0..3_u8, EDITS.len())) {
        let made = |whose: &[u8]| {
            let mut schema = shop();
            for (edit, owner) in EDITS.iter().zip(&owners) {
                if whose.contains(owner) {
                    edit(&mut schema);
                }
            }
            schema.completed().unwrap()
        };
        let (first, second) = (made(&[0]), made(&[1]));
        prop_assert_eq!(merge(&shop(), &first, &second), Ok(made(&[0, 1])));
        prop_assert_eq!(merge(&shop(), &second, &first), Ok(made(&[0, 1])));
        // A third change, and a schema without changes.
        prop_assert_eq!(merge(&shop(), &made(&[0, 1]), &made(&[2])), Ok(made(&[0, 1, 2])));
        prop_assert_eq!(merge(&shop(), &first, &shop()), Ok(first.clone()));
        prop_assert_eq!(merge(&shop(), &shop(), &first), Ok(first));
    }
}

fn conflicts(first: Edit, second: Edit) -> String {
    let (first, second) = (edited(first), edited(second));
    let message = |found: Result<Schema, Vec<Conflict>>| {
        let conflicts = found.unwrap_err();
        let lines: Vec<String> = conflicts.iter().map(ToString::to_string).collect();
        lines.join("\n")
    };
    let merged = merge(&shop(), &first, &second);
    // They conflict in either order.
    assert!(merge(&shop(), &second, &first).is_err());
    message(merged)
}

#[test]
fn merge_of_same_change_is_a_conflict() {
    let message = conflicts(EDITS[2], EDITS[2]);
    insta::assert_snapshot!(message, @"orders.orders_total_idx: create index orders.orders_total_idx in both");
    let message = conflicts(EDITS[10], EDITS[10]);
    insta::assert_snapshot!(message, @"notes: create table notes in both");
    let message = conflicts(EDITS[4], EDITS[4]);
    insta::assert_snapshot!(message, @"customers.born: drop column customers.born in both");
}

#[test]
fn merge_conflict_names_change_of_each_side() {
    let message = conflicts(
        |s| column(s, "orders", "total").data_type = "bigint".parse().unwrap(),
        |s| drop_column(s, "orders", "total"),
    );
    insta::assert_snapshot!(message, @"orders.total: change type of orders.total from integer to bigint in the first, drop column orders.total in the second");
    let message = conflicts(
        |s| index(s, "orders", "i", "(total)"),
        |s| index(s, "orders", "i", "(note)"),
    );
    insta::assert_snapshot!(message, @"orders.i: create index orders.i in both, each in another way");
    let message = conflicts(
        |s| {
            s.enums
                .get_mut(&Name::new("state"))
                .unwrap()
                .push("a".to_owned());
        },
        |s| {
            s.enums
                .get_mut(&Name::new("state"))
                .unwrap()
                .push("b".to_owned());
        },
    );
    insta::assert_snapshot!(message, @"state: add value state.a in the first, add value state.b in the second");
    let message = conflicts(
        |s| column(s, "orders", "total").comment = Some("cents".to_owned()),
        |s| column(s, "orders", "total").comment = Some("euros".to_owned()),
    );
    insta::assert_snapshot!(message, @"orders.total: comment on orders.total in both, each in another way");
}

#[test]
fn merge_of_dropped_and_used_object_is_a_conflict() {
    let message = conflicts(
        |s| index(s, "orders", "orders_total_idx", "(total)"),
        |s| drop_column(s, "orders", "total"),
    );
    insta::assert_snapshot!(message, @"orders.total: create index orders.orders_total_idx in the first, drop column orders.total in the second");
    let message = conflicts(
        |s| {
            s.tables.remove(&Name::new("customers"));
        },
        |s| {
            constraint(
                s,
                "orders",
                "orders_customer_fkey",
                "FOREIGN KEY (customer) REFERENCES customers (id)",
            );
        },
    );
    insta::assert_snapshot!(message, @"customers: drop table customers in the first, add foreign key orders.orders_customer_fkey in the second");
    let message = conflicts(
        |s| {
            s.tables.remove(&Name::new("orders"));
        },
        |s| add(s, "orders", "weight", "integer"),
    );
    insta::assert_snapshot!(message, @"orders: drop table orders in the first, add column orders.weight in the second");
    // A removed value makes a new type, whichever columns have the old one.
    let message = conflicts(
        |s| {
            s.enums.get_mut(&Name::new("state")).unwrap().remove(0);
        },
        |s| add(s, "customers", "state", "state"),
    );
    insta::assert_snapshot!(message, @"state: change enum state in the first, add column customers.state in the second");
    let message = conflicts(
        |s| column(s, "orders", "total").data_type = "text".parse().unwrap(),
        |s| constraint(s, "orders", "total_check", "CHECK (total > 0)"),
    );
    insta::assert_snapshot!(message, @"orders.total: change type of orders.total from integer to text in the first, add check orders.total_check in the second");
}

/// A generated column is rebuilt when a column that it is computed from changes. This
/// would drop what the other change adds to it.
#[test]
fn merge_with_use_of_rebuilt_column_is_a_conflict() {
    let mut base = shop();
    add(&mut base, "orders", "twice", "bigint");
    column(&mut base, "orders", "twice").fill = Fill::Stored("total * 2".parse().unwrap());
    let (mut first, mut second) = (base.clone(), base.clone());
    column(&mut first, "orders", "total").data_type = "bigint".parse().unwrap();
    index(&mut second, "orders", "orders_twice_idx", "(twice)");
    let conflicts = merge(&base, &first, &second).unwrap_err();
    insta::assert_snapshot!(conflicts[0], @"orders.twice: drop column orders.twice, add column orders.twice in the first, create index orders.orders_twice_idx in the second");
    assert!(merge(&base, &second, &first).is_err());
}

#[test]
fn merge_with_invalid_result_is_a_conflict() {
    let message = conflicts(
        |s| index(s, "orders", "one_name", "(total)"),
        |s| index(s, "customers", "one_name", "(email)"),
    );
    insta::assert_snapshot!(message, @"both together: table orders: there are two tables, indexes or keys of the name one_name");
}
