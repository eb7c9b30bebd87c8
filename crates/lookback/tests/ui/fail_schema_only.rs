use lookback::model;
use lookback::migrate::Models;
use lookback::value::{Hidden, Opaque};

#[model(
    table = "countries",
    schema_only,
    search(name),
    constraint("countries_pkey", "PRIMARY KEY (cod)", problem(code, "is taken"))
)]
struct Country {
    #[column(type = "char(2)", not_blank, default = "de".to_owned())]
    code: String,
    name: Hidden<String>,
    shape: Opaque,
}

#[model(table = "towns", schema_only)]
struct Town {
    area: std::net::SocketAddr,
    names: Vec<String>,
}

struct Street;

fn main() {
    let _ = Models::new().model::<Street>();
    let _ = Town::records();
}
