//! Figures as data and plots.

use super::*;

#[test]
fn figures_are_data_and_plots() {
    let dir = tempfile::tempdir().unwrap();
    let figures = dir.path().join("made/here");
    let run = || {
        let run = Run::of(gas(2).arg("--figures").arg(&figures).arg("--json"));
        run.json()
    };
    let first = run();
    let files = [
        "figure11.csv",
        "figure11.svg",
        "figure12.csv",
        "figure12.svg",
    ];
    assert_eq!(names(&figures), files);
    // Earlier files make way, and nothing else is left.
    std::fs::write(figures.join("figure12.csv"), "old").unwrap();
    let second = run();
    assert_eq!(names(&figures), files);
    assert_eq!(first["transactions"], second["transactions"]);

    let read = |name: &str| std::fs::read_to_string(figures.join(name)).unwrap();
    let cells = |name: &str| -> Vec<Vec<String>> {
        let csv = read(name);
        let lines = csv
            .lines()
            .map(|line| line.split(',').map(str::to_owned).collect());
        lines.collect()
    };
    let times = cells("figure11.csv");
    assert_eq!(times.len(), 1 + 1 + 5 * 5);
    assert_eq!(times[1][..3], ["deployment", "", "5"]);
    for (line, timed) in times[1..].iter().zip(second["times"].as_array().unwrap()) {
        assert_eq!(line.len(), 7, "{line:?}");
        let [median, least, most] = [3, 4, 5].map(|at: usize| line[at].parse::<f64>().unwrap());
        assert!(0.0 < least && least <= median && median <= most, "{line:?}");
        assert_eq!(line[0], timed["operation"].as_str().unwrap());
        assert!((timed["median_ms"].as_f64().unwrap() - median).abs() < 0.001);
        assert!(
            line[6].contains("devnet") && line[6].contains("cores"),
            "{line:?}"
        );
    }

    let transactions = cells("figure12.csv");
    assert_eq!(transactions.len(), 1 + 1 + 5 * 5);
    for (number, line) in transactions[1..].iter().enumerate() {
        assert_eq!(line.len(), 5, "{line:?}");
        assert_eq!(line[0], number.to_string());
        let (gas, bytes) = (
            line[3].parse::<u64>().unwrap(),
            line[4].parse::<u64>().unwrap(),
        );
        assert!(gas > 21_000 && bytes > 500, "{line:?}");
        let row = row(2, &line[1]);
        // The first patient's are the calls of the table.
        if line[2] == "1" {
            assert_eq!(gas, gas_of(row, "uncached"), "{line:?}");
        }
    }

    for (name, bars) in [("figure11.svg", 25), ("figure12.svg", 25)] {
        let svg = read(name);
        assert!(well_formed(&svg), "{name}: {svg}");
        // The ground, the legend's squares and the bars.
        let squares = 1 + svg.matches("width=\"12\" height=\"12\"").count();
        assert_eq!(svg.matches("<rect ").count(), squares + bars, "{name}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{name}");
    }
    assert!(read("figure11.svg").contains("devnet"));

    // A file in the way of the directory.
    let blocked = dir.path().join("file");
    std::fs::write(&blocked, "").unwrap();
    let run = Run::of(gas(2).arg("--figures").arg(&blocked));
    run.refused(1, "file");
}

/// Whether every element is closed in its turn, and every attribute quoted.
fn well_formed(svg: &str) -> bool {
    let mut open = Vec::new();
    for part in svg.split('<').skip(1) {
        let Some((tag, text)) = part.split_once('>') else {
            return false;
        };
        if text.contains('>') || !tag.matches('"').count().is_multiple_of(2) {
            return false;
        }
        let name = tag.split([' ', '/']).find(|it| !it.is_empty());
        match (tag.starts_with('/'), tag.ends_with('/')) {
            (true, _) if open.pop() != name => return false,
            (false, false) => open.extend(name),
            _ => {}
        }
    }
    open.is_empty()
}
