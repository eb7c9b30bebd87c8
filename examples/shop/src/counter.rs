//! The operations of the shop.

use lookback::Error;
use lookback::json;
use lookback::query::Cursor;
use sqlx::PgPool;

use crate::{NewOrder, NewProduct, Order, OrderPatch, OrderState, Product, ProductPatch};

/// Creates the first products, unless there are any.
///
/// # Errors
///
/// Errors of the database.
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

/// Searches for products, the best first.
///
/// # Errors
///
/// Errors of the database.
pub async fn find(pool: &PgPool, words: &str) -> Result<Vec<Product>, Error> {
    let page = Product::records().search(words).limit(3).list(pool).await?;
    Ok(page.data)
}

/// Finds products similar to a product, the most similar first.
///
/// # Errors
///
/// [`Error::is_not_found`] if there is no such product; errors of the database.
pub async fn like(pool: &PgPool, product_id: i64) -> Result<Vec<Product>, Error> {
    let page = Product::records()
        .similar_to(product_id)
        .limit(2)
        .list(pool)
        .await?;
    Ok(page.data)
}

/// Lists a page of the catalogue, and the cursor of the next page.
///
/// It has names and prices of the products with a tag, the cheapest first, two on a
/// page.
///
/// # Errors
///
/// [`Error::is_invalid`] for a cursor that is not of the catalogue; errors of the
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

/// Finds the products that weigh less than this.
///
/// # Errors
///
/// Errors of the database.
pub async fn lighter_than(pool: &PgPool, grams: i32) -> Result<Vec<Product>, Error> {
    let light = Product::details().path("grams").lt(grams);
    Ok(Product::records().filter(light).list(pool).await?.data)
}

/// Records a delivery: updates the product with this name, or creates it.
///
/// Returns whether it is new.
///
/// # Errors
///
/// [`Error::is_invalid`] with what is wrong with it; errors of the database.
pub async fn deliver(pool: &PgPool, product: NewProduct) -> Result<bool, Error> {
    let key = Product::products_name_key();
    Ok(Product::records().upsert(pool, product, key).await?.created)
}

/// Changes the price of a product, if it is unchanged since the manager read it.
///
/// # Errors
///
/// [`Error::is_conflict`] if somebody changed it since; errors of the database.
pub async fn reprice(pool: &PgPool, seen: &Product, price: i64) -> Result<Product, Error> {
    Product::records()
        .if_updated_at(seen.updated_at)
        .update(pool, seen.id, ProductPatch::new().price(price))
        .await
}

/// Creates an order.
///
/// # Errors
///
/// [`Error::is_invalid`] or [`Error::is_conflict`], with the field, if there is
/// no such product or the quantity is not one; errors of the database.
pub async fn place(
    pool: &PgPool,
    customer: &str,
    product_id: i64,
    quantity: i32,
) -> Result<Order, Error> {
    let order = NewOrder::new(customer, product_id).quantity(quantity);
    Order::records().create(pool, order).await
}

/// Lists the waiting orders of a customer, the oldest first.
///
/// # Errors
///
/// Errors of the database.
pub async fn open_orders(pool: &PgPool, customer: &str) -> Result<Vec<Order>, Error> {
    let page = Order::records()
        .filter(Order::state().eq(OrderState::Open) & Order::customer().eq(customer))
        .order_by(Order::id().asc())
        .list(pool)
        .await?;
    Ok(page.data)
}

/// Marks all waiting orders of a customer as sent, and returns their number.
///
/// # Errors
///
/// Errors of the database.
pub async fn ship_all(pool: &PgPool, customer: &str) -> Result<u64, Error> {
    let waiting = Order::state().eq(OrderState::Open) & Order::customer().eq(customer);
    let shipped = OrderPatch::new().state(OrderState::Shipped);
    Order::records()
        .filter(waiting)
        .update_all(pool, shipped)
        .await
}

/// Returns the ids of the best-selling products, with the quantities sold.
///
/// # Errors
///
/// Errors of the database.
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
