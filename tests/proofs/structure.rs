//! The shape of the repository, held by its manifests: which crate may know which.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Who may depend on whom. What is not named here may depend on everything: functions, the local stack, the proofs.
const ALLOWED: &[(&str, &[&str])] = &[
    ("escrow-domain", &[]),
    ("escrow-store", &["escrow-domain"]),
    ("escrow-gateways", &["escrow-domain"]),
    ("escrow-http", &["escrow-domain", "escrow-store"]),
    // Books what gateways tell, for every function that hears it.
    ("escrow-facts", &["escrow-domain", "escrow-store", "escrow-gateways", "escrow-http"]),
];

/// What the rules themselves must never need: a network, a runtime, a wire format.
const NOT_IN_THE_DOMAIN: &[&str] = &["tokio", "serde", "serde_json", "aws-sdk-dynamodb", "async-trait", "rand", "http"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The names under `[dependencies]` of a manifest.
fn dependencies(manifest: &str) -> Vec<String> {
    let section = manifest.split("[dependencies]").nth(1).unwrap_or_default();
    let lines = section.lines().skip(1).take_while(|line| !line.starts_with('['));
    lines
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

fn manifests() -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    for folder in ["shared", "functions"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let folder = entry.unwrap().path();
            if let Ok(manifest) = fs::read_to_string(folder.join("Cargo.toml")) {
                let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
                found.insert(name, dependencies(&manifest));
            }
        }
    }
    found
}

#[test]
fn arrows_between_crates_point_one_way() {
    let manifests = manifests();
    assert!(manifests.len() >= 12, "the manifests were not found");
    let ours = |name: &&String| manifests.contains_key(*name);
    for (name, needs) in &manifests {
        let allowed = ALLOWED.iter().find(|(crate_name, _)| crate_name == name).map(|(_, allowed)| *allowed);
        for need in needs.iter().filter(ours) {
            match allowed {
                Some(allowed) => assert!(allowed.contains(&need.as_str()), "{name} must not know {need}"),
                None => assert!(need.starts_with("escrow-"), "the function {name} must not know the function {need}"),
            }
        }
    }
}

#[test]
fn the_rules_need_no_network_no_runtime_and_no_wire_format() {
    let domain = &manifests()["escrow-domain"];
    assert!(!domain.is_empty());
    for name in NOT_IN_THE_DOMAIN {
        assert!(!domain.iter().any(|need| need == name), "escrow-domain must not need {name}");
    }
}

#[test]
fn only_functions_that_speak_with_gateways_hold_their_keys() {
    let holders: Vec<String> = manifests()
        .into_iter()
        .filter(|(name, needs)| !name.starts_with("escrow-") && needs.iter().any(|need| need == "escrow-gateways"))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(holders, ["create-checkout", "onboard-seller", "receive-webhook", "reconcile", "settle"]);
}
