use lookback::{Log, RequestSnapshot, User};

fn main() {
    let _ = RequestSnapshot::status_code().eq("abc");
    let _ = RequestSnapshot::status_code().like("5%");
    let _ = User::role().like("%a%");
    let _ = Log::message().eq(5);
    let _ = Log::colour();
    let _ = Log::records().filter(RequestSnapshot::path().eq("/"));
}
