use lookback::ColumnEnum;

#[derive(Clone, ColumnEnum)]
enum State {
    Open,
    Closed(String),
}

#[derive(Clone, ColumnEnum)]
#[column_enum(colour = "red")]
enum Other {
    A,
}

fn main() {}
