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

#[derive(Clone, ColumnEnum)]
#[column_enum(type = "sales.mood.x")]
enum Mood {
    #[column_enum(name = "very happy")]
    VeryHappy,
    #[column_enum(name = "very happy", name = "happy")]
    Happy,
    #[column_enum(label = "sad")]
    Sad,
}

fn main() {}
