//! A sensible service name from a command line: what runs, not what runs it.

use std::path::Path;

/// Scripts so called say nothing; the directory they are in does.
const GENERIC_SCRIPTS: [&str; 5] = ["index", "__main__", "manage", "wsgi", "asgi"];

/// Directories so called say nothing either.
const GENERIC_DIRECTORIES: [&str; 8] = ["src", "dist", "build", "bin", "lib", "out", "public", "."];

/// Last parts of dotted module names that say less than the part before.
const GENERIC_MODULES: [&str; 7] = ["wsgi", "asgi", "main", "app", "server", "api", "__main__"];

/// The name. `executable` and `cwd` are paths, empty if unknown.
pub(super) fn service_name(command_line: &[String], executable: &str, cwd: &Path) -> String {
    let arguments: Vec<&str> = command_line.iter().map(String::as_str).collect();
    let Some((first, rest)) = arguments.split_first() else {
        return file_name(executable).to_owned();
    };
    if let Some(name) = from_title(first) {
        return name.to_owned();
    }
    let program = file_name(first.trim_start_matches('-'));
    let name = of_program(program, rest, cwd).filter(|name| !name.is_empty());
    name.unwrap_or_else(|| {
        let name = if program.is_empty() {
            file_name(executable)
        } else {
            program
        };
        name.to_owned()
    })
}

/// Servers that rewrite their title: `nginx: worker process`,
/// `gunicorn: master [shop:app]`, `puma 6.4.2 (tcp://…) [shop]`.
fn from_title(title: &str) -> Option<&str> {
    let (program, _) = title.split_once([':', ' '])?;
    if program.contains('/') || !title.contains(' ') {
        return None;
    }
    let bracketed = title
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'))
        .map(|(inside, _)| inside);
    match (program, bracketed) {
        ("gunicorn", Some(application)) => Some(module_name(application)),
        ("puma", Some(directory)) => Some(directory),
        _ => Some(program),
    }
}

/// What `program` runs, if it is known to run other things.
fn of_program(program: &str, arguments: &[&str], cwd: &Path) -> Option<String> {
    let script = |with_value: &[&str]| script_of(arguments, with_value, cwd);
    match program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.') {
        "python" | "pypy" => of_python(arguments, cwd),
        "java" => of_java(arguments),
        "node" | "nodejs" | "bun" | "tsx" | "ts-node" => {
            if evaluates(arguments, &["-e", "--eval", "-p", "--print"]) {
                return None;
            }
            script(&[
                "-r",
                "--require",
                "--import",
                "--loader",
                "-C",
                "--conditions",
            ])
        }
        "deno" => script_of(arguments.split_first()?.1, &[], cwd),
        "ruby" | "perl" | "lua" | "Rscript" => {
            if evaluates(arguments, &["-e", "-E"]) {
                return None;
            }
            script(&["-I", "-r", "-C"])
        }
        "php" => script(&["-d", "-c", "-S", "-t"]),
        "sh" | "bash" | "dash" | "zsh" | "ksh" => {
            if evaluates(arguments, &["-c"]) {
                return None;
            }
            script(&["-o"])
        }
        "dotnet" => arguments
            .iter()
            .find_map(|argument| argument.strip_suffix(".dll"))
            .map(|path| file_name(path).to_owned()),
        "gunicorn" | "uvicorn" | "hypercorn" | "daphne" | "granian" | "waitress-serve" => {
            application(arguments).map(str::to_owned)
        }
        "flask" | "celery" => value_of(arguments, &["--app", "-A"])
            .map(|application| module_name(application).to_owned()),
        _ => None,
    }
}

fn of_python(arguments: &[&str], cwd: &Path) -> Option<String> {
    if evaluates(arguments, &["-c"]) {
        return None;
    }
    let with_value = ["-W", "-X", "-m"];
    let at = position_of_script(arguments, &with_value[..2])?;
    let (program, rest) = match arguments[at] {
        "-m" => (*arguments.get(at + 1)?, &arguments[at + 2..]),
        script => (script, &arguments[at + 1..]),
    };
    // `python -m gunicorn shop:app`, `python /usr/bin/gunicorn shop:app`.
    let runner = file_name(program);
    if let Some(name) = of_program(runner, rest, cwd) {
        return Some(name);
    }
    Some(if program == "http.server" {
        // Python's own, known by its whole name.
        program.to_owned()
    } else if arguments[at] == "-m" {
        module_name(program).to_owned()
    } else {
        script_name(program, cwd)
    })
}

fn of_java(arguments: &[&str]) -> Option<String> {
    const WITH_VALUE: [&str; 9] = [
        "-cp",
        "-classpath",
        "--class-path",
        "-p",
        "--module-path",
        "--add-modules",
        "--add-opens",
        "--add-exports",
        "--add-reads",
    ];
    const NAMES: [&str; 2] = ["-Dotel.service.name=", "-Dspring.application.name="];
    let told = arguments
        .iter()
        .find_map(|argument| NAMES.iter().find_map(|name| argument.strip_prefix(name)));
    if let Some(name) = told {
        return Some(name.to_owned());
    }
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match *argument {
            "-jar" => return rest.next().map(|jar| jar_name(jar).to_owned()),
            "-m" | "--module" => return rest.next().map(|main| class_name(main).to_owned()),
            option if WITH_VALUE.contains(&option) => {
                rest.next();
            }
            option if option.starts_with(['-', '@']) => {}
            main => return Some(class_name(main).to_owned()),
        }
    }
    None
}

/// `target/shop-1.2.3-SNAPSHOT.jar` is `shop`.
fn jar_name(path: &str) -> &str {
    let stem = file_name(path).trim_end_matches(".jar");
    let version = stem
        .match_indices('-')
        .map(|(at, _)| at)
        .find(|at| stem[at + 1..].starts_with(|c: char| c.is_ascii_digit()));
    &stem[..version.unwrap_or(stem.len())]
}

/// `com.acme.Shop` and `module/com.acme.Shop` are `Shop`.
fn class_name(main: &str) -> &str {
    let main = main.trim_end_matches(".java");
    main.rsplit(['.', '/']).next().unwrap_or(main)
}

/// The argument of a Python server that names the application: `shop:app`.
fn application<'a>(arguments: &[&'a str]) -> Option<&'a str> {
    let named = arguments.iter().copied().find(|argument| {
        argument.split_once(':').is_some_and(|(module, attribute)| {
            is_dotted_name(module) && attribute.starts_with(|c: char| c.is_alphabetic() || c == '_')
        })
    });
    let mut after_option = false;
    let plain = arguments.iter().copied().find(|argument| {
        let is_option = argument.starts_with('-');
        let found = !is_option && !after_option && is_dotted_name(argument);
        after_option = is_option && !argument.contains('=');
        found
    });
    named.or(plain).map(module_name)
}

fn is_dotted_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || c == '_' || c == '.')
}

/// `shop.wsgi:application` is `shop`, `app:app` is `app`.
fn module_name(module: &str) -> &str {
    let mut module = module.split(':').next().unwrap_or(module);
    while let Some((package, last)) = module.rsplit_once('.') {
        if !GENERIC_MODULES.contains(&last) {
            break;
        }
        module = package;
    }
    module.trim_end_matches(".py")
}

fn evaluates(arguments: &[&str], options: &[&str]) -> bool {
    let leading = arguments
        .iter()
        .take_while(|argument| argument.starts_with('-'));
    leading
        .into_iter()
        .any(|argument| options.contains(argument))
}

fn value_of<'a>(arguments: &[&'a str], options: &[&str]) -> Option<&'a str> {
    arguments.iter().enumerate().find_map(|(at, argument)| {
        let (option, value) = argument.split_once('=').unwrap_or((argument, ""));
        let found = options.contains(&option);
        let next = arguments.get(at + 1).copied();
        let value = if value.is_empty() { next } else { Some(value) };
        value.filter(|_| found)
    })
}

fn script_of(arguments: &[&str], with_value: &[&str], cwd: &Path) -> Option<String> {
    let at = position_of_script(arguments, with_value)?;
    Some(script_name(arguments[at], cwd))
}

/// The first argument that is no option and no value of one; `-m` counts.
fn position_of_script(arguments: &[&str], with_value: &[&str]) -> Option<usize> {
    let mut at = 0;
    while let Some(argument) = arguments.get(at) {
        if !argument.starts_with('-') || *argument == "-m" {
            return Some(at);
        }
        at += if with_value.contains(argument) { 2 } else { 1 };
    }
    None
}

/// `/srv/shop/manage.py` is `shop`, `server.js` is `server`.
fn script_name(path: &str, cwd: &Path) -> String {
    let path = Path::new(path);
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    if !GENERIC_SCRIPTS.contains(&stem.as_ref()) {
        return stem.into_owned();
    }
    let full = cwd.join(path);
    let directory = full
        .ancestors()
        .skip(1)
        .filter_map(|directory| directory.file_name()?.to_str())
        .find(|name| !GENERIC_DIRECTORIES.contains(name));
    directory.map_or_else(|| stem.into_owned(), str::to_owned)
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_named_by_what_runs() {
        let cases = [
            ("python app.py", "app"),
            (
                "/usr/bin/python3.11 -u -W ignore /srv/shop/app.py --port 80",
                "app",
            ),
            ("python3 /srv/shop/manage.py runserver", "shop"),
            ("python3 manage.py runserver", "cwd"),
            ("python3 -m http.server 8000", "http.server"),
            ("python3 -m shop.main", "shop"),
            ("python3 -c print(1)", "python3"),
            ("python3", "python3"),
            (
                "python3 -m gunicorn -w 4 -b 0.0.0.0:8000 shop.wsgi:application",
                "shop",
            ),
            ("/usr/bin/python3 /usr/bin/gunicorn app:app", "app"),
            (
                "gunicorn -b localhost:8000 --worker-class gevent app:app",
                "app",
            ),
            ("gunicorn --workers 4 shop", "shop"),
            ("uvicorn main:app --host 0.0.0.0", "main"),
            ("uvicorn shop.main:app", "shop"),
            ("flask --app shop run", "shop"),
            (
                "/usr/bin/python3 /usr/bin/celery -A proj.app worker",
                "proj",
            ),
            ("node server.js", "server"),
            (
                "node --max-old-space-size=99 -r dotenv/config dist/server.mjs",
                "server",
            ),
            ("node /srv/shop/dist/index.js", "shop"),
            ("node -e 1", "node"),
            ("bun run.ts", "run"),
            ("deno run.ts main.ts", "main"),
            ("java -Xmx1g -jar /opt/shop-1.2.3-SNAPSHOT.jar --x", "shop"),
            ("java -jar shop.jar", "shop"),
            ("java -cp a.jar:b.jar com.acme.Shop arg", "Shop"),
            ("java --module-path m -m mod/com.acme.Main", "Main"),
            ("java -Dspring.application.name=cart -jar app.jar", "cart"),
            ("java Shop.java", "Shop"),
            ("ruby -Ilib app.rb", "app"),
            ("php -d x=y worker.php", "worker"),
            ("php -S 0.0.0.0:80", "php"),
            ("dotnet /app/Shop.Api.dll", "Shop.Api"),
            ("bash /srv/start.sh", "start"),
            ("-bash", "bash"),
            ("/opt/bin/shop-server --port 80", "shop-server"),
            ("./shop", "shop"),
            ("haproxy -f x", "haproxy"),
        ];
        for (line, expected) in cases {
            let arguments: Vec<_> = line.split(' ').map(str::to_owned).collect();
            let found = service_name(&arguments, "/usr/bin/exe", Path::new("/home/cwd"));
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn titles_name_their_program() {
        let cases = [
            ("nginx: worker process", "nginx"),
            ("nginx: master process nginx -g daemon off;", "nginx"),
            ("postgres: writer", "postgres"),
            ("php-fpm: pool www", "php-fpm"),
            ("gunicorn: master [shop.wsgi:app]", "shop"),
            ("puma 6.4.2 (tcp://0.0.0.0:3000) [shop]", "shop"),
            ("puma: cluster worker 0: 12 [shop]", "shop"),
            ("redis-server *:6379", "redis-server"),
        ];
        for (title, expected) in cases {
            let found = service_name(&[title.to_owned()], "/x", Path::new(""));
            assert_eq!(found, expected, "{title}");
        }
    }

    #[test]
    fn without_arguments_the_executable_names_it() {
        assert_eq!(service_name(&[], "/opt/shop", Path::new("")), "shop");
        assert_eq!(
            service_name(&[String::new()], "/opt/shop", Path::new("")),
            "shop"
        );
    }
}
