//! JSON in and out, and problems that contradict themselves.

use crate::Problem;
use crate::general::tests::any_problem;

#[test]
fn json_comes_back_as_it_went() {
    for seed in 0..50 {
        let problem = any_problem(seed);
        let text = serde_json::to_string(&problem).unwrap();
        assert_eq!(Problem::from_json(&text), Ok(problem));
    }
}

#[test]
fn an_error_names_the_field() {
    let text = r#"{"machines":[{"id":"M"}],"jobs":[{"id":"J","operations":[{"alternatives":[{"machine":"x","duration":1}]}]}]}"#;
    let error = Problem::from_json(text).unwrap_err().to_string();
    assert!(error.starts_with("jobs[0].operations[0].alternatives[0].machine: "), "{error}");
}

#[test]
fn contradictions_are_told() {
    let told = |change: fn(&mut Problem)| {
        let mut problem = any_problem(1);
        change(&mut problem);
        assert!(problem.validate().is_err());
    };
    told(|problem| problem.jobs[0].precedence = Some(vec![[0, 0]]));
    told(|problem| problem.jobs[0].operations[0].alternatives.clear());
    told(|problem| problem.jobs[0].operations[0].alternatives[0].machine = 99);
    told(|problem| problem.jobs[0].operations[0].alternatives[0].duration = -1);
    told(|problem| problem.machines[0].calendar = Some(99));
    told(|problem| problem.calendars[0].open = vec![[5, 3]]);
    told(|problem| problem.calendars[0].period = Some(10));
    told(|problem| problem.objective.goals.clear());
    told(|problem| problem.transport = vec![vec![0]]);
    told(|problem| problem.jobs[0].release = i64::MAX);
}
