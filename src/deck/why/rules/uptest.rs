//! Why an uptest did not pass.

use super::{Cause, Facts};

pub fn find(facts: &Facts, all: &mut Vec<Cause>) {
    for uptest in facts.uptests.iter().filter(|uptest| !uptest.result.passed) {
        let result = &uptest.result;
        let said: Vec<String> = result.output.lines().filter(|line| !line.trim().is_empty()).map(str::to_string).collect();
        let last: Vec<String> = said.iter().skip(said.len().saturating_sub(5)).cloned().collect();
        let any = |words: &[&str]| said.iter().any(|line| words.iter().any(|word| line.contains(word)));
        let cause = if any(&["is not executable", "is a directory, not an executable"]) {
            Cause::new("uptest-not-executable", &uptest.place, format!("the uptest {} is no executable file", result.name))
                .next(format!("git update-index --chmod=+x uptests/…/{}, commit, and dispatch again", result.name))
        } else if any(&["bad interpreter", "required file not found", "failed to run command", "env: "])
            && any(&["No such file", "not found"])
        {
            Cause::new("uptest-interpreter", &uptest.place, format!("what the uptest {} is run by is not on the host", result.name))
                .next("give its first line an interpreter that the hosts have, and Unix line ends")
        } else if result.timed_out {
            Cause::new("uptest-timeout", &uptest.place, format!("the uptest {} took longer than uptest_timeout", result.name))
                .next("see what it waits for; `uptest_timeout:` of the swarm allows more")
        } else {
            Cause::new("uptest-failed", &uptest.place, format!("the uptest {} failed", result.name))
                .next("mend the app or the test; the old procs still serve")
        };
        all.push(cause.shows([format!("{} after {:.1} s", result.name, result.seconds)]).shows(last));
    }
}
