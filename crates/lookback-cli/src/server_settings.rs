//! The settings of the private PostgreSQL that a person gives.

use std::collections::BTreeMap;

use lookback_embedded::{COMPUTED_SETTINGS, ServerSetting};

use crate::config::Origin;
use crate::failure::Failure;

/// The settings by name, each with its origin.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServerSettings(BTreeMap<String, (ServerSetting, Origin)>);

/// `[pg_settings]` of `lookback.toml`.
pub(crate) type SettingsSection = BTreeMap<String, toml::Value>;

impl ServerSettings {
    /// Merges the settings by name: options, then the environment, then the file.
    pub(crate) fn merge(
        options: &[String],
        environment: Option<&str>,
        file: &SettingsSection,
        file_origin: &Origin,
    ) -> Result<Self, Failure> {
        let mut merged = Self::default();
        for (name, value) in file {
            let value = text_of(value).ok_or_else(|| {
                Failure::usage(format!(
                    "pg_settings.{name} (from {file_origin}): expected a text, a number or true or \
                     false"
                ))
            })?;
            merged.insert(name, &value, file_origin.clone())?;
        }
        let environment = environment.unwrap_or_default().split(';');
        let environment = environment.map(str::trim).filter(|part| !part.is_empty());
        let environment = environment.map(|part| (part, Origin::Environment(VARIABLE)));
        let options = (options.iter()).map(|part| (part.as_str(), Origin::Flag(OPTION)));
        for (part, origin) in environment.chain(options) {
            let Some((name, value)) = part.split_once('=') else {
                let problem = format!("{origin}: expected NAME=VALUE, got {part}");
                return Err(Failure::usage(problem).hint("for example: work_mem=64MB"));
            };
            merged.insert(name.trim(), value.trim(), origin)?;
        }
        Ok(merged)
    }

    fn insert(&mut self, name: &str, value: &str, origin: Origin) -> Result<(), Failure> {
        let setting = ServerSetting::new(name, value)
            .map_err(|error| Failure::usage(format!("{error} (from {origin})")))?;
        self.0.insert(setting.name().to_owned(), (setting, origin));
        Ok(())
    }

    /// The settings with their origins, ordered by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(ServerSetting, Origin)> {
        self.0.values()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&(ServerSetting, Origin)> {
        self.0.get(name)
    }

    /// The settings for the server.
    pub(crate) fn given(&self) -> Vec<ServerSetting> {
        self.iter().map(|(setting, _)| setting.clone()).collect()
    }
}

pub(crate) const OPTION: &str = "--pg-setting";
pub(crate) const VARIABLE: &str = "LOOKBACK_PG_SETTINGS";

/// A setting of a file that may come from another person, if it is one that such a file must not
/// have.
///
/// Settings of memory, speed and plans are harmless. Others load libraries, run programs, or make
/// commits less durable.
pub(crate) fn forbidden(section: &SettingsSection) -> Option<&str> {
    let is_harmless = |name: &str| COMPUTED_SETTINGS.contains(&name.to_ascii_lowercase().as_str());
    section
        .keys()
        .map(String::as_str)
        .find(|name| !is_harmless(name))
}

fn text_of(value: &toml::Value) -> Option<String> {
    Some(match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Float(number) => number.to_string(),
        toml::Value::Boolean(true) => "on".to_owned(),
        toml::Value::Boolean(false) => "off".to_owned(),
        _ => return None,
    })
}
