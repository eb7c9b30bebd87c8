//! The memory that a server may use.

use std::fs;
use std::path::Path;

/// A limit of this size or more is none: version 1 of cgroups has no word for "no limit".
const UNLIMITED: u64 = 1 << 60;

/// The memory of this machine, or the limit of the container or service of this process.
pub(crate) fn detect() -> Option<u64> {
    let limit = cgroup_limit(Path::new("/"));
    match (physical(), limit) {
        (Some(physical), Some(limit)) => Some(physical.min(limit)),
        (physical, limit) => physical.or(limit),
    }
}

#[cfg(not(target_os = "macos"))]
fn physical() -> Option<u64> {
    parse_meminfo(&fs::read_to_string("/proc/meminfo").ok()?)
}

#[cfg(target_os = "macos")]
fn physical() -> Option<u64> {
    use crate::process;
    let mut command = process::clean_command(Path::new("/usr/sbin/sysctl"), Path::new("/"));
    command.args(["-n", "hw.memsize"]);
    let done = process::run(&mut command, "", std::time::Duration::from_secs(10)).ok()?;
    done.stdout.trim().parse().ok()
}

/// Parses `MemTotal` of `/proc/meminfo`.
#[cfg(any(test, not(target_os = "macos")))]
fn parse_meminfo(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// The smallest memory limit of the control groups of this process, of either version.
///
/// The file of the process names its groups as the host sees them. A container sees its own group
/// as the root of the tree, so each parent counts as well; it also limits its children.
fn cgroup_limit(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let tree = root.join("sys/fs/cgroup");
    let mut limits = Vec::new();
    for line in groups.lines() {
        // https://man7.org/linux/man-pages/man7/cgroups.7.html, `/proc/pid/cgroup`.
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else {
            continue;
        };
        let group = Path::new(group.trim_start_matches('/'));
        if controllers.is_empty() {
            // On a machine with both versions, the tree of version 2 is in a folder of its own.
            for tree in [tree.clone(), tree.join("unified")] {
                limits.extend(limits_above(&tree, group, &["memory.max", "memory.high"]));
            }
        } else if controllers.split(',').any(|name| name == "memory") {
            let names = ["memory.limit_in_bytes"];
            limits.extend(limits_above(&tree.join("memory"), group, &names));
        }
    }
    limits.into_iter().min()
}

/// The limits in the files of a group and of its parents.
fn limits_above<'a>(
    tree: &'a Path,
    group: &'a Path,
    names: &'a [&str],
) -> impl Iterator<Item = u64> + 'a {
    let files = group
        .ancestors()
        .flat_map(move |group| names.iter().map(move |name| tree.join(group).join(name)));
    files
        // The word `max` is no limit, and no number.
        .filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok())
        .filter(|limit| *limit < UNLIMITED)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A root folder with these files.
    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn memory_of_the_machine_is_in_meminfo() {
        let text = "MemTotal:       24683516 kB\nMemFree:         1000 kB\n";
        assert_eq!(parse_meminfo(text), Some(24_683_516 * 1024));
        for text in ["", "MemFree: 5 kB", "MemTotal: many kB", "MemTotal: 5"] {
            assert_eq!(parse_meminfo(text), None, "{text}");
        }
        assert!(detect().is_none_or(|memory| memory > 1 << 20));
    }

    #[test]
    fn limit_of_version_2_is_the_smallest_of_the_group_and_its_parents() {
        let slice = "sys/fs/cgroup/user.slice";
        let at = |of_group: &str, of_parent: &str| {
            root(&[
                ("proc/self/cgroup", "0::/user.slice/shop.service\n"),
                (&format!("{slice}/shop.service/memory.max"), of_group),
                (&format!("{slice}/shop.service/memory.high"), "max\n"),
                (&format!("{slice}/memory.max"), of_parent),
            ])
        };
        assert_eq!(
            cgroup_limit(at("536870912\n", "max\n").path()),
            Some(512 << 20)
        );
        assert_eq!(cgroup_limit(at("536870912\n", "1000\n").path()), Some(1000));
        assert_eq!(cgroup_limit(at("max\n", "max\n").path()), None);
    }

    #[test]
    fn limit_of_a_container_is_at_the_root_of_its_tree() {
        // Without a namespace of its own, the container reads the name of its group on the host.
        let docker = "11:pids:/docker/4f\n4:cpu,memory:/docker/4f\n1:name=systemd:/docker/4f\n";
        let limit = ("sys/fs/cgroup/memory/memory.limit_in_bytes", "268435456\n");
        let container = root(&[("proc/self/cgroup", docker), limit]);
        assert_eq!(cgroup_limit(container.path()), Some(256 << 20));
        let newer = [
            ("proc/self/cgroup", "0::/\n"),
            ("sys/fs/cgroup/memory.max", "134217728\n"),
            ("sys/fs/cgroup/memory.high", "100000000\n"),
        ];
        assert_eq!(cgroup_limit(root(&newer).path()), Some(100_000_000));
    }

    #[test]
    fn machine_without_a_limit_has_none() {
        let unlimited = [
            ("proc/self/cgroup", "4:memory:/a\n0::/\n"),
            (
                "sys/fs/cgroup/memory/a/memory.limit_in_bytes",
                "9223372036854771712\n",
            ),
        ];
        assert_eq!(cgroup_limit(root(&unlimited).path()), None);
        assert_eq!(cgroup_limit(root(&[]).path()), None);
        let odd = [("proc/self/cgroup", "memory\n\n4:memory\n")];
        assert_eq!(cgroup_limit(root(&odd).path()), None);
    }
}
