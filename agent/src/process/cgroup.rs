//! What the control group of a process tells: its container, its unit.

/// Hexadecimal digits of a container id.
const ID: usize = 64;

/// Units that start whatever their users ask for.
const LAUNCHERS: [&str; 8] = [
    "ssh",
    "sshd",
    "cron",
    "crond",
    "docker",
    "containerd",
    "init",
    "getty",
];

/// The container id in the text of `/proc/PID/cgroup`, as Docker, containerd,
/// CRI-O and Podman write it: the last run of exactly 64 hexadecimal digits.
pub(super) fn container_id(cgroup: &str) -> Option<&str> {
    cgroup
        .split(|character: char| !character.is_ascii_alphanumeric())
        .rfind(|part| part.len() == ID && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The systemd service that the process runs in, without `.service` and
/// without the instance of a template.
pub(super) fn unit(cgroup: &str) -> Option<&str> {
    let path = cgroup.lines().find_map(|line| {
        line.strip_prefix("0::")
            .or_else(|| line.split_once(":name=systemd:").map(|(_, path)| path))
    })?;
    let name = path
        .split('/')
        .rev()
        .find_map(|part| part.strip_suffix(".service"))?;
    let name = name.split('@').next().filter(|name| !name.is_empty())?;
    (!LAUNCHERS.contains(&name) && name != "user").then_some(name)
}

/// The workload in the name of a pod: `shop-7d9c5b6f4-x2x8z` is of `shop`.
pub(super) fn workload(pod: &str) -> Option<&str> {
    let (rest, suffix) = pod.rsplit_once('-')?;
    let Some((name, hash)) = rest.rsplit_once('-') else {
        return stateful(rest, suffix);
    };
    let is_hash = (8..=10).contains(&hash.len()) && hash.bytes().all(is_random);
    let is_suffix = suffix.len() == 5 && suffix.bytes().all(is_random);
    if is_hash && is_suffix {
        Some(name)
    } else {
        stateful(rest, suffix)
    }
}

fn stateful<'a>(name: &'a str, ordinal: &str) -> Option<&'a str> {
    ordinal
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(name)
}

fn is_random(byte: u8) -> bool {
    byte.is_ascii_digit() || byte.is_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_found_in_every_notation() {
        let id = "0123456789abcdef".repeat(4);
        for (text, found) in [
            (format!("0::/system.slice/docker-{id}.scope"), true),
            (format!("12:pids:/docker/{id}\n0::/docker/{id}"), true),
            (format!("0::/kubepods/besteffort/pod1-2/{id}"), true),
            (
                format!("0::/kubepods.slice/cri-containerd-{id}.scope"),
                true,
            ),
            (
                format!("0::/machine.slice/libpod-{id}.scope/container"),
                true,
            ),
            (format!("0::/docker/{id}f"), false),
            ("0::/".to_owned(), false),
        ] {
            assert_eq!(container_id(&text), found.then_some(id.as_str()), "{text}");
        }
    }

    #[test]
    fn units_name_services_but_launchers_do_not() {
        for (text, expected) in [
            ("0::/system.slice/shop.service", Some("shop")),
            (
                "0::/system.slice/system-shop.slice/shop@2.service",
                Some("shop"),
            ),
            ("0::/system.slice/shop.service/worker", Some("shop")),
            ("5:cpu:/\n1:name=systemd:/system.slice/a.service", Some("a")),
            ("0::/user.slice/user-0.slice/session-3.scope", None),
            ("0::/user.slice/user-0.slice/user@0.service/app.slice", None),
            ("0::/system.slice/ssh.service", None),
            ("", None),
        ] {
            assert_eq!(unit(text), expected, "{text}");
        }
    }

    #[test]
    fn pods_tell_their_workload() {
        for (pod, expected) in [
            ("shop-7d9c5b6f4-x2x8z", Some("shop")),
            ("my-shop-7d9c5b6f4-x2x8z", Some("my-shop")),
            ("db-0", Some("db")),
            ("my-db-12", Some("my-db")),
            ("laptop", None),
            ("my-laptop", None),
        ] {
            assert_eq!(workload(pod), expected, "{pod}");
        }
    }
}
