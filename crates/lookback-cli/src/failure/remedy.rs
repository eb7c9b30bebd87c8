//! What to do about a failed migration, as commands and flags of this program.

use lookback::migrate::Remedy;

/// The hint for a remedy.
pub(super) fn hint(remedy: &Remedy) -> String {
    match remedy {
        Remedy::RunMigrations => "finish it first: db migrate".to_owned(),
        Remedy::FinishRevert => "finish that first: db revert".to_owned(),
        Remedy::GenerateMigrations => {
            "write the migrations from the models: db generate".to_owned()
        }
        Remedy::FinishGenerating => "finish it: db generate".to_owned(),
        Remedy::CorrectOrBaseline => "correct the file, or what it found in the database, and run \
             it again; if the database has all of this already, record it: db baseline"
            .to_owned(),
        Remedy::UseOriginalFiles => format!("{remedy}: --table NAME"),
        Remedy::NameFolder => format!("{remedy}: --dir DIR"),
        Remedy::RegenerateDuplicate { .. } => format!("{remedy}: db generate"),
        Remedy::Rebase => "put one after the other: db generate --rebase".to_owned(),
        Remedy::Regenerate => "add --regenerate VERSION for the one of them that is in no \
             database yet, or can be reverted where it is: its files go, and what the models have \
             besides is generated anew"
            .to_owned(),
        Remedy::WriteDownFile => "leave out --reversible, and write it by hand".to_owned(),
        Remedy::AllowDataLoss { objects, .. } => {
            let flags: Vec<String> = objects
                .iter()
                .map(|object| format!("--allow-data-loss '{object}'"))
                .collect();
            format!("if that is meant, add {}", flags.join(" "))
        }
        Remedy::FillRows { column, .. } => format!("{remedy}: --fill '{column}=SQL'"),
        Remedy::ConvertRows { column, .. } => format!("{remedy}: --using '{column}=SQL'"),
        other => other.to_string(),
    }
}
