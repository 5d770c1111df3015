//! The document that the demo applies: one local host, one balancer, the shop's two swarms. What an operator edits later starts here.

use super::daemons::me;
use super::home::Places;
use crate::hosts::script;
use crate::model::Result;

/// The swarms of the demo; the first is behind the balancer.
pub const SWARMS: [&str; 2] = ["shop-demo-web", "shop-demo-worker"];

/// As an operator would write it. `own_python`: procs find python3 only in the demo's own `bin`.
pub fn text(places: &Places, nginx: bool, own_python: bool) -> Result<String> {
    let (home, socket, user) = (places.home.display(), places.socket(), me()?);
    let env = if own_python { format!("    env: {{PATH: \"{home}/bin:{}\"}}\n", script::PATH) } else { String::new() };
    let balancer = if nginx {
        format!(
            r#"  - name: edge
    backend: nginx
    hosts: [{{name: here-lb, transport: local, root: "{home}/lb"}}]
    include_dir: "{home}/nginx/conf.d"
    test_cmd: "{home}/bin/nginx -t"
    reload_cmd: "{home}/bin/nginx -s reload"
"#
        )
    } else {
        "  - {name: edge, backend: dummy}\n".to_string()
    };
    Ok(format!(
        r#"buildpacks:
  - {{name: plain-python, url: "{home}/repos/buildpack", type: git, order: 10}}
apps:
  - name: shop
    repo: {{url: "{home}/repos/shop", type: git}}
    buildpack: plain-python
ingredients:
  - name: database
    config: {{db_host: db1}}
    env: {{TZ: UTC}}
squads:
  - name: demo
    hosts:
      - name: here
        transport: local
        root: "{home}/apps"
        ports: 20000-20999
        supervisor: {{socket: "{socket}", conf: "{home}/supervisor/supervisord.conf"}}
balancers:
{balancer}swarms:
  - app: shop
    config_name: demo
    proc_name: web
    squad: demo
    size: 2
    version: v1
    pool: shop
    balancer: edge
    ingredients: [database]
    config:
      # What the front page says. Edit it, then dispatch.
      greeting: Hello from the demo.
{env}    run_as: "{user}"
    settle: 1s
    uptest_timeout: 30s
    drain_timeout: 10s
  - app: shop
    config_name: demo
    proc_name: worker
    squad: demo
    size: 1
    version: v1
    ingredients: [database]
{env}    run_as: "{user}"
    settle: 1s
    uptest_timeout: 30s
"#,
        socket = socket.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::document;
    use std::path::Path;

    #[test]
    fn it_is_a_document_in_every_form() {
        let places = Places::of(Path::new("/home/op/demo")).unwrap();
        for (nginx, own_python) in [(true, false), (false, true)] {
            let document = document::parse(&text(&places, nginx, own_python).unwrap(), "demo").unwrap();
            let names: Vec<String> = document.swarms.iter().map(|swarm| swarm.body.short_name()).collect();
            assert_eq!(names, SWARMS);
            assert_eq!(document.swarms[0].body.env.contains_key("PATH"), own_python);
            assert_eq!(document.balancers[0].body.backend == "nginx", nginx);
        }
    }
}
