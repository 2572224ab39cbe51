//! What a step of the masternode changed, for who looks on step by step.

use super::world::World;
use std::collections::BTreeMap;

impl World<'_> {
    /// What a step may change, by name.
    pub(super) fn situation(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        let Some(core) = &self.office.core else {
            return all;
        };
        for id in self.works.keys() {
            let number = self.names.job(id);
            let mut put = |name: &str, value: String| {
                all.insert(format!("j{number} {name}"), value);
            };
            if let Some(status) = core.status(*id) {
                put("phase", format!("{:?}", status.phase));
                put("waiting", status.waiting.to_string());
                put("running", status.running.to_string());
                put("decided", status.decided.to_string());
                put("replicas answered", status.replicas.to_string());
                put("devices", status.devices.to_string());
                put("spent", status.spent.to_string());
                put("waits for", format!("{:?}", status.waiting_for));
            }
            put("log", self.disk.next_position(*id).to_string());
        }
        all.insert("unwritten".into(), self.disk.waiting().to_string());
        let connected = core.connected_devices().count();
        all.insert("devices connected".into(), connected.to_string());
        all
    }

    pub(super) fn tell_changes(&mut self, before: &BTreeMap<String, String>) {
        let after = self.situation();
        let none = "none".to_owned();
        let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let was = before.get(name).unwrap_or(&none);
            let is = after.get(name).unwrap_or(&none);
            if was != is {
                self.trace.change(&format!("{name} {was} -> {is}"));
            }
        }
    }
}
