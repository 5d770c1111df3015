//! The document form: the issue's own example, errors with their places, and text that comes back as it was written.

use super::*;
use crate::model::entity::{Become, Transport};
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;

const ISSUE: &str = r#"
buildpacks:  [{name: python, url: "/srv/git/bp.git#rev", type: git, order: 10}]
apps:        [{name: shop, repo: {url: "/srv/git/shop.git", type: git}, buildpack: python}]
ingredients: [{name: db, config: {db_host: db1}, env: {TZ: UTC}}]
squads:      [{name: web, hosts: [{name: web01, transport: ssh, address: web01.example, port: 22, user: deploy, become: sudo, root: /apps, ports: 5000-5999,
                                   active: true, supervisor: {socket: /var/run/supervisor.sock, conf: /etc/supervisor/supervisord.conf}},
                                  {name: "web[02-09].example"}, {name: here, transport: local}]}]
balancers:   [{name: edge, backend: nginx, hosts: [lb01, {name: lb02, port: 2222}, here], include_dir: /etc/nginx/conf.d, reload_cmd: "nginx -s reload"}]   # hosts: ssh names, or objects as in squads
swarms:      [{app: shop, config_name: prod, proc_name: web, squad: web, size: 2, version: v1, pool: shop, balancer: edge, config: {greeting: hi}, env: {LOG: info}, ingredients: [db],
               volumes: [[/var/data, /data]], run_as: nobody, mem_limit: 256M, listens: true, settle: 5s, uptest_timeout: 60s, no_uptests: warn, stop_timeout: 10s}]
"#;

const OWN: &str = r#"# the fleet
swarms:
  # the shop itself
  - app: shop   # sells
    config_name: prod
    proc_name: web
    squad: web
    version: 1.10   # text, though it looks like a number
    config:
      greeting: |
        # not a comment
        hi
      # said at the door
      debug: yes
    # end of the shop

  # works at night
  - {app: shop, config_name: prod, proc_name: worker, squad: web, version: v1, env: {A: yes, B: 012}}
squads:
- name: web
  defaults: {user: deploy, become: sudo}
  hosts:
  - name: web[1-2]   # two
"#;

fn at(text: &str) -> String {
    parse(text, "shop.yaml").unwrap_err().line()
}

#[test]
fn the_documents_form_is_read() {
    let document = parse(ISSUE, "issue.yaml").unwrap();
    let swarm = &document.swarms[0].body;
    assert_eq!(swarm.full_name(), "shop-prod-web@web");
    assert_eq!(swarm.volumes, [("/var/data".to_string(), "/data".to_string())]);
    assert_eq!(swarm.mem_limit.unwrap().0, 256 << 20);
    let hosts = resolve_hosts(&document.squads[0].body, &BTreeMap::new()).unwrap();
    assert_eq!(hosts.len(), 10);
    assert_eq!((hosts[0].become_, hosts[0].user.as_deref()), (Become::Sudo, Some("deploy")));
    assert_eq!(hosts[1].address, "web02.example");
    assert_eq!((hosts[9].transport, hosts[9].root.as_str()), (Transport::Local, "/apps"));
    assert_eq!(hosts, resolve_hosts(&document.squads[0].body, &BTreeMap::new()).unwrap(), "ids are the same every time");
    let known: BTreeMap<String, String> = [("here".to_string(), "id9".to_string())].into_iter().collect();
    assert_eq!(resolve_hosts(&document.squads[0].body, &known).unwrap()[9].id, "id9");

    let balancer = balancer_hosts(&document.balancers[0].body, &hosts).unwrap();
    assert_eq!(
        balancer.iter().map(|host| (host.name.as_str(), host.port)).collect::<Vec<_>>(),
        [("lb01", None), ("lb02", Some(2222)), ("here", None)]
    );
    assert_eq!(balancer[2].id, hosts[9].id);
    assert_ne!(balancer[0].id, hosts[0].id);
}

#[test]
fn an_items_text_is_its_operators_own() {
    let document = parse(OWN, "own.yaml").unwrap();
    let shop = &document.swarms[0];
    assert_eq!(shop.line, 4);
    assert_eq!(
        shop.text,
        "# the shop itself\napp: shop   # sells\nconfig_name: prod\nproc_name: web\nsquad: web\nversion: 1.10   # text, though it looks like a number\nconfig:\n  greeting: |\n    # not a comment\n    hi\n  # said at the door\n  debug: yes\n# end of the shop\n"
    );
    assert_eq!(shop.body.version, "1.10");
    assert_eq!(serde_json::Value::Object(shop.body.config.clone()), json!({"greeting": "# not a comment\nhi\n", "debug": true}));
    let worker = &document.swarms[1];
    assert_eq!(worker.body.env.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>(), ["A=yes", "B=012"]);
    assert!(worker.text.starts_with("app: shop\n"), "{}", worker.text);
    assert!(document.squads[0].text.contains("# two"));
    assert_eq!(parse_item::<Swarm>(&shop.text, "editor").unwrap().text, shop.text);
}

#[test]
fn what_is_exported_is_read_back_with_ids_and_comments() {
    let mut document = parse(OWN, "own.yaml").unwrap();
    for (number, swarm) in document.swarms.iter_mut().enumerate() {
        swarm.body.id = Some(format!("0192{number}"));
    }
    let text = export(&document).unwrap();
    let again = parse(&text, "export.yaml").unwrap();
    assert_eq!(
        again.swarms.iter().map(|s| &s.body).collect::<Vec<_>>(),
        document.swarms.iter().map(|s| &s.body).collect::<Vec<_>>(),
        "{text}"
    );
    for comment in ["# the shop itself", "# sells", "# said at the door", "# end of the shop", "# two"] {
        assert_eq!(text.matches(comment).count(), 1, "{comment} in:\n{text}");
    }
    assert_eq!(export(&again).unwrap(), text, "an export of an export is the same");
    let issue = parse(ISSUE, "issue.yaml").unwrap();
    let bodies = |d: &Document| {
        serde_json::to_value((
            d.swarms.iter().map(|s| &s.body).collect::<Vec<_>>(),
            d.squads.iter().map(|s| &s.body).collect::<Vec<_>>(),
            d.balancers.iter().map(|s| &s.body).collect::<Vec<_>>(),
        ))
        .unwrap()
    };
    assert_eq!(bodies(&parse(&export(&issue).unwrap(), "x").unwrap()), bodies(&issue));
}

#[test]
fn every_error_says_where() {
    let swarm = "swarms:\n- app: shop\n  config_name: prod\n  proc_name: web\n  squad: web\n  version: v1\n";
    assert_eq!(at(&format!("{swarm}  versoin: v2\n")), "shop.yaml:7:3: unknown key 'versoin'. Next: did you mean 'version'?");
    assert!(at("swarmz: []\n").starts_with("shop.yaml:1:1: unknown key 'swarmz'. Next: did you mean 'swarms'?"));
    assert!(at("apps:\n- name: my-app\n  repo: {url: /x}\n").starts_with("shop.yaml:2:9: app name 'my-app' holds '-'"));
    assert!(at(&swarm.replace("v1", "'v1; rm -rf /'")).starts_with("shop.yaml:6:12: version `"));
    assert!(at(&swarm.replace("v1", "$(id)")).starts_with("shop.yaml:6:12: version `"));
    assert!(at(&swarm.replace("v1", "--upload-pack=x")).starts_with("shop.yaml:6:12:"));
    assert!(at(&format!("{swarm}  pool: shop\n")).starts_with("shop.yaml:7:9: the pool 'shop' needs a balancer"));
    assert!(at(&format!("{swarm}  volumes: [[var, /data]]\n")).starts_with("shop.yaml:7:13: 'var' is not an absolute path"));
    assert!(at(&format!("{swarm}  volumes: [[/var]]\n")).starts_with("shop.yaml:7:"));
    assert!(at(&format!("{swarm}  config: [a]\n")).starts_with("shop.yaml:7:"));
    assert!(at(&format!("{swarm}  env: {{A: [b]}}\n")).starts_with("shop.yaml:7:"));
    assert!(at(&format!("{swarm}  env: {{A-B: b}}\n")).starts_with("shop.yaml:7:14: 'A-B' cannot name"));
    assert!(at(&format!("{swarm}  settle: soon\n")).starts_with("shop.yaml:7:11: 'soon' is not a length of time"));
    assert!(at(&format!("{swarm}  mem_limit: lots\n")).starts_with("shop.yaml:7:14:"));
    assert!(at(&format!("{swarm}  size: -1\n")).starts_with("shop.yaml:7:9:"));
    assert!(
        at(&format!("{swarm}{}", swarm.replace("swarms:\n", "")))
            .starts_with("shop.yaml:7:3: swarm shop-prod-web@web is already on line 2")
    );
    assert!(at(&format!("{swarm}  size: 1\n  size: 2\n")).starts_with("shop.yaml:8:3:"));
    assert!(at("squads: [{name: a, hosts: [{name: x}]}, {name: b, hosts: [{name: 'x'}]}]").contains("already in squad a"));
    assert!(at("squads: [{name: a, hosts: [{name: 'x[1-']}]}").starts_with("shop.yaml:1:"));
    assert!(at("squads: [{name: a, hosts: [{name: x, prot: 1}]}]").contains("did you mean 'port'?"));
    let balancer = at("balancers:\n- name: a\n  backend: nginx\n  hosts:\n  - {name: x, prot: 1}\n");
    assert!(balancer.starts_with("shop.yaml:5:15: unknown key 'prot'"), "{balancer}");
    for (text, start) in [
        ("swarms:\n\t- a\n", "shop.yaml:2:2: tabs disallowed within this context (block indentation)"),
        ("swarms: {a: 1}\n", "shop.yaml:1:9:"),
        ("just text", "shop.yaml:1:1:"),
        ("apps:\n- name: shop\n", "shop.yaml:2:3: the key 'repo' is missing"),
        ("apps:\n- name: shop\n  repo: {url: 'ext::sh -c id'}\n", "shop.yaml:3:15:"),
        ("ingredients:\n- name: db\n  config: {a: .nan}\n", "shop.yaml:3:"),
        ("ingredients:\n- name: db\n  merge: deeep\n", "shop.yaml:3:10: 'deeep' is not known here. Next: did you mean 'deep'?"),
    ] {
        let line = at(text);
        assert!(line.starts_with(start), "{text}\n{line}");
    }
    assert!(parse("", "x").unwrap() == Document::default());
    assert!(parse("swarms:\napps: []\n", "x").unwrap() == Document::default());
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_without_a_panic(text in "[ -~\n]{0,80}") {
        let _ = parse(&text, "x");
        let _ = parse_item::<Swarm>(&text, "x");
    }
    #[test]
    fn layout_does_not_change_what_is_read(pad in 0usize..6, between in "[ \n]{0,3}", comment in "[!-~]{1,20}") {
        let item = |app: &str| format!("{:pad$}- app: {app} # {comment}\n{:pad$}  config_name: c\n{:pad$}  proc_name: p\n{:pad$}  squad: s\n{:pad$}  version: v\n{:pad$}  # {comment}\n", "", "", "", "", "", "");
        let between = if between.contains('\n') { between.as_str() } else { "" };
        let between = between.rsplit_once('\n').map_or(String::new(), |(kept, _)| format!("{kept}\n"));
        let text = format!("swarms:\n{}{between}{}", item("a"), item("b"));
        let document = parse(&text, "x").unwrap();
        prop_assert_eq!(document.swarms.len(), 2);
        for swarm in &document.swarms {
            prop_assert_eq!(swarm.text.matches(&format!("# {}", comment.trim_end())).count() >= 2, true, "{}", swarm.text);
            prop_assert_eq!(&parse_item::<Swarm>(&swarm.text, "x").unwrap().body, &swarm.body);
        }
        let again = parse(&export(&document).unwrap(), "y").unwrap();
        for (a, b) in again.swarms.iter().zip(&document.swarms) {
            prop_assert_eq!(&a.text, &b.text);
            prop_assert_eq!(&a.body, &b.body);
        }
    }
}
