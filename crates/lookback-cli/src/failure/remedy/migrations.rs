//! Remedies of migrations, as commands and flags of this program.

use lookback::migrate::Remedy;

use crate::commands::db::flags_for;

/// The hint for a remedy.
pub(super) fn hint(remedy: &Remedy) -> String {
    match remedy {
        Remedy::RunMigrations => "apply the pending migrations first: db migrate".to_owned(),
        Remedy::FinishRevert => "finish the revert first: db revert".to_owned(),
        Remedy::GenerateMigrations => {
            "generate the migrations from the models: db generate".to_owned()
        }
        Remedy::FinishGenerating => "generate again, which finishes it: db generate".to_owned(),
        Remedy::CorrectOrBaseline => "correct the file or the database, and run it again; if the \
             database has these objects already, record the migrations: db baseline"
            .to_owned(),
        Remedy::ApplyAgainWithTime => "run it again; if a statement_timeout of the role, the \
             database or the server cancelled it, without one: PGOPTIONS='-c statement_timeout=0' \
             lookback db migrate"
            .to_owned(),
        Remedy::UseOriginalFiles => format!("{remedy}: --table NAME"),
        Remedy::NameFolder => format!("{remedy}: --dir DIR"),
        Remedy::RegenerateDuplicate { .. } => format!("{remedy}: db generate"),
        Remedy::Rebase => "rebase them: db generate --rebase".to_owned(),
        Remedy::Regenerate => "add --regenerate VERSION for the one of them that is in no \
             database yet, or can be reverted where it is: its files are removed, and its \
             changes are generated again from the models"
            .to_owned(),
        Remedy::WriteDownFile => {
            "leave out --reversible, and write the .down.sql by hand".to_owned()
        }
        Remedy::AllowDataLoss { objects, .. } => {
            let flags: Vec<String> = objects
                .iter()
                .map(|object| format!("--allow-data-loss '{object}'"))
                .collect();
            format!("if that is intended, add {}", flags.join(" "))
        }
        Remedy::FillRows { column, .. } => format!("{remedy}: --fill '{column}=SQL'"),
        Remedy::ConvertRows { column, .. } => format!("{remedy}: --using '{column}=SQL'"),
        Remedy::ChangeValues => format!("{remedy}: db generate --using COLUMN=SQL"),
        Remedy::NameObject => {
            format!("{remedy}: --rename OLD=NEW, --drop OLD, --fill COLUMN=SQL, --using COLUMN=SQL")
        }
        Remedy::Decide { questions, .. } => flags_for(questions),
        other => other.to_string(),
    }
}
