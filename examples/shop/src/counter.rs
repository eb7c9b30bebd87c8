//! What happens at the counter.

use lookback::{Cursor, Error};
use serde_json::json;
use sqlx::PgPool;

use crate::{NewOrder, NewProduct, Order, OrderPatch, OrderState, Product, ProductPatch};

/// Puts the first products on the shelves, unless there are some.
///
/// # Errors
///
/// Those of the database.
pub async fn stock_shelves(pool: &PgPool) -> Result<(), Error> {
    if Product::records().exists(pool).await? {
        return Ok(());
    }
    let tagged = |tags: &[&str]| -> Vec<String> { tags.iter().map(ToString::to_string).collect() };
    let products = [
        NewProduct::new("Coffee grinder", 8900)
            .description("Burr mill of steel, by hand")
            .tags(tagged(&["coffee", "steel"]))
            .details(json!({"grams": 640, "colours": ["black", "steel"]})),
        NewProduct::new("Filter papers", 450)
            .description("One hundred, unbleached")
            .tags(tagged(&["coffee"])),
        NewProduct::new("Kettle", 5400)
            .description("Pours slowly; for coffee and tea")
            .tags(tagged(&["coffee", "tea", "steel"]))
            .details(json!({"grams": 980, "litres": 0.8})),
        NewProduct::new("Teapot", 3200)
            .description("Glass, one litre")
            .tags(tagged(&["tea", "glass"])),
    ];
    Product::records().create_many(pool, &products).await?;
    Ok(())
}

/// The products that a customer means by these words, the best first.
///
/// # Errors
///
/// Those of the database.
pub async fn find(pool: &PgPool, words: &str) -> Result<Vec<Product>, Error> {
    let page = Product::records().search(words).limit(3).list(pool).await?;
    Ok(page.data)
}

/// What is much like a product, the nearest first.
///
/// # Errors
///
/// [`Error::is_not_found`] if there is no such product; those of the database.
pub async fn like(pool: &PgPool, product_id: i64) -> Result<Vec<Product>, Error> {
    let page = Product::records()
        .similar_to(product_id)
        .limit(2)
        .list(pool)
        .await?;
    Ok(page.data)
}

/// A page of the catalogue: names and prices of what stands at a tag, the
/// cheapest first, two on a page; and where the next page starts.
///
/// # Errors
///
/// [`Error::is_invalid`] for a cursor that is not of the catalogue; those of the
/// database.
pub async fn catalogue(
    pool: &PgPool,
    tag: &str,
    after: Option<Cursor>,
) -> Result<(Vec<(String, i64)>, Option<Cursor>), Error> {
    let mut query = Product::records()
        .filter(Product::tags().array_contains([tag]))
        .order_by(Product::price().asc())
        .limit(2);
    if let Some(cursor) = after {
        query = query.after(cursor);
    }
    let page = query
        .select((Product::name(), Product::price()))
        .list(pool)
        .await?;
    Ok((page.data, page.next))
}

/// What weighs less than this, whatever else is known of it.
///
/// # Errors
///
/// Those of the database.
pub async fn lighter_than(pool: &PgPool, grams: i32) -> Result<Vec<Product>, Error> {
    let light = Product::details().path("grams").lt(grams);
    Ok(Product::records().filter(light).list(pool).await?.data)
}

/// A delivery: a product that is there under this name becomes this one, and
/// another is put beside. Tells whether it is new.
///
/// # Errors
///
/// [`Error::is_invalid`] with what is wrong with it; those of the database.
pub async fn deliver(pool: &PgPool, product: NewProduct) -> Result<bool, Error> {
    let key = Product::products_name_key();
    Ok(Product::records().upsert(pool, product, key).await?.created)
}

/// Gives a product another price, if it still is as the manager saw it.
///
/// # Errors
///
/// [`Error::is_conflict`] if somebody changed it since; those of the database.
pub async fn reprice(pool: &PgPool, seen: &Product, price: i64) -> Result<Product, Error> {
    Product::records()
        .if_updated_at(seen.updated_at)
        .update(pool, seen.id, ProductPatch::new().price(price))
        .await
}

/// Takes an order.
///
/// # Errors
///
/// [`Error::is_invalid`] or [`Error::is_conflict`], with the field, if there is
/// no such product or the quantity is not one; those of the database.
pub async fn place(
    pool: &PgPool,
    customer: &str,
    product_id: i64,
    quantity: i32,
) -> Result<Order, Error> {
    let order = NewOrder::new(customer, product_id).quantity(quantity);
    Order::records().create(pool, order).await
}

/// The orders of a customer that wait, the oldest first.
///
/// # Errors
///
/// Those of the database.
pub async fn open_orders(pool: &PgPool, customer: &str) -> Result<Vec<Order>, Error> {
    let page = Order::records()
        .filter(Order::state().eq(OrderState::Open) & Order::customer().eq(customer))
        .order_by(Order::id().asc())
        .list(pool)
        .await?;
    Ok(page.data)
}

/// Sends everything that waits for a customer on its way, and tells how many
/// orders that were.
///
/// # Errors
///
/// Those of the database.
pub async fn ship_all(pool: &PgPool, customer: &str) -> Result<u64, Error> {
    let waiting = Order::state().eq(OrderState::Open) & Order::customer().eq(customer);
    let shipped = OrderPatch::new().state(OrderState::Shipped);
    Order::records()
        .filter(waiting)
        .update_all(pool, shipped)
        .await
}

/// The ids of the products that sell best, with the pieces sold.
///
/// # Errors
///
/// Those of the database.
pub async fn best_sellers(pool: &PgPool) -> Result<Vec<(i64, f64)>, Error> {
    let sold = Order::records()
        .group_by(Order::product_id())
        .top(3)
        .aggregate(pool, Order::quantity().sum())
        .await?;
    Ok(sold
        .into_iter()
        .map(|(product, pieces)| (product, pieces.unwrap_or(0.0)))
        .collect())
}
