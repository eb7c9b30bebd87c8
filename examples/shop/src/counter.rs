//! What happens at the counter.

use lookback::Error;
use sqlx::PgPool;

use crate::{NewOrder, NewProduct, Order, OrderState, Product};

/// Puts the first products on the shelves, unless there are some.
///
/// # Errors
///
/// Those of the database.
pub async fn stock_shelves(pool: &PgPool) -> Result<(), Error> {
    if Product::records().count(pool).await?.value() > 0 {
        return Ok(());
    }
    let products = [
        NewProduct::new("Coffee grinder", 8900).description("Burr mill of steel, by hand"),
        NewProduct::new("Filter papers", 450).description("One hundred, unbleached"),
        NewProduct::new("Kettle", 5400).description("Pours slowly; for coffee and tea"),
        NewProduct::new("Teapot", 3200).description("Glass, one litre"),
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
