use super::*;
use proptest::{option, prelude::*};
use std::{
    string::{String, ToString},
    vec::Vec,
};

fn only(line: &str) -> Command<'_> {
    let mut all = commands(line);
    let first = all.next().expect("a command").expect("valid");
    assert!(all.next().is_none(), "{line}");
    first
}

fn error(line: &str) -> String {
    commands(line).next().expect("a command").expect_err("invalid").to_string()
}

#[test]
fn every_example_parses_to_its_own_command() {
    for spec in &SPECS {
        assert_eq!(only(spec.example).name(), spec.name);
        for help in ["-h", "--help"] {
            let line = std::format!("{} {help}", spec.name);
            assert_eq!(only(&line), Command::Help { topic: Some(spec) });
        }
    }
}

#[test]
fn the_table_is_well_formed() {
    for (index, spec) in SPECS.iter().enumerate() {
        assert!(!spec.summary.is_empty(), "{}", spec.name);
        assert!(SPECS[..index].iter().all(|other| other.name != spec.name), "{} twice", spec.name);
        assert!(spec.positionals.len() <= value::MOST && spec.flags.len() <= value::MOST, "{}", spec.name);
        let needs: Vec<_> = spec.positionals.iter().map(|positional| positional.need).collect();
        assert!(
            needs.is_sorted_by_key(|need| *need != Need::Required),
            "{}: required after optional",
            spec.name
        );
    }
}

#[test]
fn syntax_lines_are_derived() {
    let syntax = |name| find(name).expect("known").syntax().to_string();
    assert_eq!(syntax("run"), "run NAME [-c CORE] [-n COUNT]");
    assert_eq!(syntax("roles"), "roles [CORE ROLE[,ROLE]]");
    assert_eq!(syntax("policy"), "policy [show|set NAME]");
    assert_eq!(syntax("profile"), "profile [show|record|clear] [NAME]");
    assert_eq!(syntax("stop"), "stop TASK|NAME|all");
    assert_eq!(syntax("migrate"), "migrate TASK CORE");
    assert_eq!(syntax("mode"), "mode text|json");
    assert_eq!(syntax("ps"), "ps");
}

#[test]
fn lines_hold_several_commands_and_comments() {
    let names = |line| commands(line).map(|c| c.expect("valid").name()).collect::<Vec<_>>();
    assert_eq!(names("ps;cpus ; mem # ; reboot"), ["ps", "cpus", "mem"]);
    assert_eq!(names(" ;; #x"), [""; 0]);
    assert_eq!(names("ps;#c"), ["ps"]);
    assert_eq!(
        only("run a#b"),
        Command::Run { name: "a#b", core: None, count: None },
        "within a word it is none"
    );
}

#[test]
fn quotes_keep_semicolons() {
    let settings = Some("\"L3:0=f;1=f\"");
    let parsed: Vec<_> = commands("cat set \"L3:0=f;1=f\" -c 2;hw").collect();
    assert_eq!(
        parsed,
        [Ok(Command::Cat { verb: DivideVerb::Set, settings, class: Some(2) }), Ok(Command::Hw)]
    );
    assert_eq!(commands("query \"open; ps").count(), 1, "a quote that is not closed keeps the rest");
}

#[test]
fn hardware_commands_take_events_and_settings() {
    assert_eq!(
        only("pmu stat cycles,r412e:u -C 3 -t 9 -d 50"),
        Command::Pmu {
            verb: PmuVerb::Stat,
            events: Some("cycles,r412e:u"),
            core: Some(3),
            task: Some(9),
            duration_ms: Some(50)
        }
    );
    assert_eq!(
        only("pmu"),
        Command::Pmu { verb: PmuVerb::List, events: None, core: None, task: None, duration_ms: None }
    );
    assert_eq!(only("mba"), Command::Mba { verb: BandwidthVerb::Show, settings: None, class: None });
    let settings = Some("1=4000MBps");
    assert_eq!(only("mba set 1=4000MBps"), Command::Mba { verb: BandwidthVerb::Set, settings, class: None });
    assert_eq!(only("mba free"), Command::Mba { verb: BandwidthVerb::Free, settings: None, class: None });
    assert_eq!(
        error("pmu stat"),
        "pmu: EVENT[,EVENT] is missing; expected: pmu [list|stat EVENT[,EVENT]] [-C CORE] [-t TASK] [-d DURATION_MS]"
    );
    assert_eq!(error("cat show llc:1=1").split(';').next(), Some("cat: 'llc:1=1' is one word too many"));
}

#[test]
fn arguments_are_read() {
    assert_eq!(only("run hash -n 2 -c 63"), Command::Run { name: "hash", core: Some(63), count: Some(2) });
    assert_eq!(only("run -c 1 hash"), Command::Run { name: "hash", core: Some(1), count: None });
    assert_eq!(only("stop all"), Command::Stop { target: Target::All });
    assert_eq!(only("stop 65535"), Command::Stop { target: Target::Task(65535) });
    assert_eq!(only("predict hash"), Command::Predict { target: Some(Target::Name("hash")) });
    let roles = RoleSet::of(&[Role::Control, Role::Shadow]);
    assert_eq!(
        only("roles 0 shadow,control"),
        Command::Roles { change: Some(RoleChange { core: 0, roles }) }
    );
    assert_eq!(roles.bits(), 0b101);
    assert_eq!(only("policy"), Command::Policy { set: None });
    assert_eq!(only("policy show"), Command::Policy { set: None });
    assert_eq!(only("policy set none"), Command::Policy { set: Some("none") });
    assert_eq!(only("profile"), Command::Profile { verb: ProfileVerb::Show, name: None });
    assert_eq!(only("log -l warn"), Command::Log { count: None, level: Some(Level::Warn) });
    assert_eq!(only("crash"), Command::Crash { confirmed: false });
    assert_eq!(only(" query  a -c  \"b c\" # d"), Command::Query { text: "a -c  \"b c\"" });
    assert_eq!(only("help ps"), Command::Help { topic: find("ps") });
}

#[test]
fn errors_say_what_was_wrong_and_what_was_expected() {
    for (line, text) in [
        ("hlep", "no command 'hlep'; nearest is 'help', 'help' lists all"),
        ("xyzzy", "no command 'xyzzy'; 'help' lists all"),
        ("help shdow", "no command 'shdow'; nearest is 'shadow', 'help' lists all"),
        ("run", "run: NAME is missing; expected: run NAME [-c CORE] [-n COUNT]"),
        ("run a b", "run: 'b' is one word too many; expected: run NAME [-c CORE] [-n COUNT]"),
        ("run a -c 64", "run: '64' is no CORE; expected a core number from 0 to 63 (see 'cpus')"),
        ("run a -c", "run: -c stands without CORE; expected a core number from 0 to 63 (see 'cpus')"),
        ("run a -n 0", "run: '0' is no COUNT; expected a whole number from 1 to 64"),
        ("run a -n +1", "run: '+1' is no COUNT; expected a whole number from 1 to 64"),
        ("run a -c 1 -c 2", "run: -c is given twice; expected: run NAME [-c CORE] [-n COUNT]"),
        ("run a -z", "run: '-z' is no option of it; expected: run NAME [-c CORE] [-n COUNT]"),
        ("query ", "query: TEXT is missing; expected: query TEXT"),
        ("roles 1", "roles: ROLE[,ROLE] is missing; expected: roles [CORE ROLE[,ROLE]]"),
        (
            "roles 1 king",
            "roles: 'king' is no ROLE[,ROLE]; expected control, first-class, shadow or second-class, several \
             separated by commas",
        ),
        ("policy set", "policy: NAME is missing; expected: policy [show|set NAME]"),
        ("policy show none", "policy: 'none' is one word too many; expected: policy [show|set NAME]"),
        ("mem move 4", "mem: COLOURS is missing; expected: mem [colours|show|move|verify TASK COLOURS]"),
        (
            "mem move 4 red",
            "mem: 'red' is no COLOURS; expected a list of colours like 4-8,10 (see 'mem colours')",
        ),
        (
            "mem colours 4",
            "mem: '4' is one word too many; expected: mem [colours|show|move|verify TASK COLOURS]",
        ),
        ("mode xml", "mode: 'xml' is no text|json; expected text or json"),
        ("pause all", "pause: 'all' is no TASK|NAME; expected a task number or a workload's name (see 'ps')"),
        (
            "stop 65536",
            "stop: '65536' is no TASK|NAME|all; expected a task number, a workload's name (see 'ps') or all",
        ),
        (
            "top 99999999999",
            "top: '99999999999' is no INTERVAL_MS; expected a whole number from 100 to 60000",
        ),
        ("\x1b[2J", "no command '\\u{1b}[2J'; 'help' lists all"),
    ] {
        assert_eq!(error(line), text, "{line}");
    }
    assert_eq!(error(&"x".repeat(99)).len(), "no command '...'; 'help' lists all".len() + 32);
}

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&["compress", "hash", "a-b_c", "x1", "é", "'", "search"][..])
}

fn target() -> impl Strategy<Value = Target<'static>> {
    prop_oneof![any::<u16>().prop_map(Target::Task), name().prop_map(Target::Name)]
}

fn any_command() -> impl Strategy<Value = Command<'static>> {
    let requests = || option::of(1..=1_000_000u32);
    let plain = [
        Command::Version,
        Command::Cpus,
        Command::Ps,
        Command::Mem { what: Memory::Totals },
        Command::Mem { what: Memory::Colours },
        Command::Mem { what: Memory::Verify },
        Command::Hw,
        Command::Topo,
        Command::Mon,
        Command::Status,
        Command::Uptime,
        Command::Reboot,
        Command::Poweroff,
        Command::Clear,
    ];
    let first =
        prop_oneof![
            prop::sample::select(plain.to_vec()),
            option::of(prop::sample::select(SPECS.iter().collect::<Vec<_>>()))
                .prop_map(|topic| Command::Help { topic }),
            option::of(100..=60_000u32).prop_map(|interval_ms| Command::Top { interval_ms }),
            (name(), option::of(0..=63u8), option::of(1..=64u16))
                .prop_map(|(name, core, count)| Command::Run { name, core, count }),
            prop_oneof![target(), Just(Target::All)].prop_map(|target| Command::Stop { target }),
            target().prop_map(|target| Command::Pause { target }),
            target().prop_map(|target| Command::Resume { target }),
            (any::<u16>(), 0..=63u8).prop_map(|(task, core)| Command::Migrate { task, core }),
            option::of((0..=63u8, 1..16u8)).prop_map(|change| Command::Roles {
                change: change.map(|(core, bits)| RoleChange { core, roles: RoleSet::from_bits(bits) }),
            }),
        ];
    let second = prop_oneof![
        (prop::sample::select(&ProfileVerb::ALL[..]), option::of(name()))
            .prop_map(|(verb, name)| Command::Profile { verb, name }),
        prop::sample::select(&ShadowVerb::ALL[..]).prop_map(|verb| Command::Shadow { verb }),
        prop::sample::select(&TraceVerb::ALL[..]).prop_map(|verb| Command::Trace { verb }),
        requests().prop_map(|requests| Command::Echo { requests }),
        option::of(target()).prop_map(|target| Command::Predict { target }),
        prop::sample::select(&QuarantineVerb::ALL[..]).prop_map(|verb| Command::Quarantine { verb }),
        option::of(name()).prop_map(|set| Command::Policy { set }),
        any::<bool>().prop_map(|reset| Command::Stats { reset }),
        (option::of(1..=10_000u16), option::of(prop::sample::select(&Level::ALL[..])))
            .prop_map(|(count, level)| Command::Log { count, level }),
        requests().prop_map(|requests| Command::Burst { requests }),
    ];
    let third = prop_oneof![
        option::of(prop::sample::select(&JobScale::ALL[..])).prop_map(|scale| Command::Job { scale }),
        prop::sample::select(&Mode::ALL[..]).prop_map(|mode| Command::Mode { mode }),
        any::<bool>().prop_map(|confirmed| Command::Crash { confirmed }),
        (
            option::of("[a-z-]{1,9}"),
            option::of(0..=63u8),
            option::of(any::<u16>()),
            option::of(1..=60_000u16),
        )
            .prop_map(|(events, core, task, duration_ms)| {
                let verb = if events.is_some() { PmuVerb::Stat } else { PmuVerb::List };
                let events = events.map(|_| "instructions,r412e:u");
                Command::Pmu { verb, events, core, task, duration_ms }
            }),
        (any::<[bool; 2]>(), option::of(0..=127u8)).prop_map(|([cat, set], class)| {
            let verb = if set { DivideVerb::Set } else { DivideVerb::Show };
            let settings = set.then_some("\"L3:0=f;1=f\"");
            let bandwidth = if set { BandwidthVerb::Set } else { BandwidthVerb::Loop };
            if cat {
                Command::Cat { verb, settings, class }
            } else {
                Command::Mba { verb: bandwidth, settings, class }
            }
        }),
        any::<u16>().prop_map(|task| Command::Mem { what: Memory::Show { task } }),
        (any::<u16>(), prop::sample::select(&["0", "4-8,10", "99-1"][..]))
            .prop_map(|(task, colours)| Command::Mem { what: Memory::Move { task, colours } }),
        prop::sample::select(&["a", "Vec::new  -n", "\"two words\" -x é"][..])
            .prop_map(|text| Command::Query { text }),
    ];
    prop_oneof![4 => first, 4 => second, 1 => third]
}

proptest! {
    #[test]
    fn what_is_printed_parses_to_itself(command in any_command(), after in any_command()) {
        let line = std::format!("  {command} ;{after}# end");
        // A word's own `#` would begin no comment, but this one ends a word.
        let line = line.replace("# end", " # end");
        let parsed: Vec<_> = commands(&line).collect();
        prop_assert_eq!(parsed, [Ok(command), Ok(after)]);
    }

    #[test]
    fn any_text_parses_or_says_why_in_one_printable_line(
        line in prop_oneof![any::<String>(), "((run|roles|policy|log|stop|-n|-c|set|all|[0-9]{1,9}|[a-z]{1,4})[ ;#]){0,8}"]
    ) {
        for result in commands(&line) {
            if let Err(error) = result {
                let text = error.to_string();
                prop_assert!(!text.is_empty() && text.chars().all(|c| !c.is_control()), "{text}");
            }
        }
    }
}
