//! Charts as SVG, drawn here so that they need no script, and the same figures as a table.

use super::words;
use crate::traffic::Second;

/// Size of the drawing's coordinates.
const LEFT: f64 = 40.0;
const RIGHT: f64 = 632.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 150.0;
/// Seconds that one bar stands for.
const BAR_SECONDS: usize = 5;
/// Seconds that one point of the latency lines stands for.
const POINT_SECONDS: usize = 10;

/// One piece of a bar.
pub(super) struct Piece {
    pub(super) class: &'static str,
    pub(super) x: String,
    pub(super) y: String,
    pub(super) width: String,
    pub(super) height: String,
}

/// One minute as a row of the table.
pub(super) struct Minute {
    pub(super) label: String,
    pub(super) allowed: String,
    pub(super) refused: String,
    pub(super) failed: String,
    pub(super) half: String,
    pub(super) tail: String,
}

/// Requests of the last minutes, as bars and as rows.
pub(super) struct Requests {
    pub(super) pieces: Vec<Piece>,
    pub(super) ceiling: String,
    pub(super) middle: String,
    pub(super) minutes: Vec<Minute>,
    pub(super) allowed: String,
    pub(super) refused: String,
    pub(super) failed: String,
    pub(super) any: bool,
    pub(super) sentence: String,
}

impl Requests {
    pub(super) fn new(seconds: &[Second]) -> Self {
        let sums: Vec<[u64; 3]> = seconds.chunks(BAR_SECONDS).map(sum).collect();
        let most = sums.iter().map(|sum| sum.iter().sum()).max().unwrap_or(0);
        let ceiling = ceiling(most);
        let step = (RIGHT - LEFT) / sums.len().max(1) as f64;
        let mut pieces = Vec::new();
        for (place, sum) in sums.iter().enumerate() {
            let mut floor = BOTTOM;
            for (count, class) in sum.iter().zip(["allowed", "refused", "failed"]) {
                let height = *count as f64 / ceiling as f64 * (BOTTOM - TOP);
                if *count > 0 {
                    floor -= height;
                    pieces.push(Piece {
                        class,
                        x: format!("{:.1}", LEFT + place as f64 * step + 1.0),
                        y: format!("{floor:.1}"),
                        width: format!("{:.1}", step - 2.0),
                        height: format!("{height:.1}"),
                    });
                }
            }
        }
        let [allowed, refused, failed] = sum(seconds);
        Self {
            pieces,
            ceiling: words::count(ceiling),
            middle: words::count(ceiling / 2),
            minutes: minutes(seconds),
            sentence: format!(
                "In the last five minutes {allowed} requests were allowed, {refused} refused, and {failed} failed."
            ),
            allowed: words::count(allowed),
            refused: words::count(refused),
            failed: words::count(failed),
            any: allowed + refused + failed > 0,
        }
    }
}

/// Latency of the last minutes: the median and the 95th percentile of the sampled requests.
pub(super) struct Latency {
    pub(super) half: Vec<Vec<Point>>,
    pub(super) tail: Vec<Vec<Point>>,
    pub(super) ceiling: String,
    pub(super) middle: String,
    pub(super) sentence: String,
    pub(super) all_half: String,
    pub(super) all_tail: String,
}

/// A point of a line.
pub(super) struct Point {
    pub(super) x: String,
    pub(super) y: String,
}

impl Latency {
    pub(super) fn new(seconds: &[Second]) -> Self {
        let figures: Vec<Option<(u64, u64)>> = seconds.chunks(POINT_SECONDS).map(quantiles).collect();
        let most = figures.iter().flatten().map(|(_, tail)| *tail).max().unwrap_or(0);
        let ceiling = ceiling(most);
        let step = (RIGHT - LEFT) / figures.len().max(1) as f64;
        let line = |choose: fn(&(u64, u64)) -> u64| {
            let mut runs: Vec<Vec<Point>> = vec![Vec::new()];
            for (place, figure) in figures.iter().enumerate() {
                match (figure, runs.last_mut()) {
                    (Some(figure), Some(run)) => {
                        let height = choose(figure) as f64 / ceiling as f64 * (BOTTOM - TOP);
                        run.push(Point {
                            x: format!("{:.1}", LEFT + (place as f64 + 0.5) * step),
                            y: format!("{:.1}", BOTTOM - height),
                        });
                    }
                    _ => runs.push(Vec::new()),
                }
            }
            runs.retain(|run| !run.is_empty());
            runs
        };
        let all = quantiles(seconds);
        let [all_half, all_tail] = [all.map(|all| all.0), all.map(|all| all.1)].map(in_words);
        Self {
            half: line(|figure| figure.0),
            tail: line(|figure| figure.1),
            ceiling: words::milliseconds(ceiling),
            middle: words::milliseconds(ceiling / 2),
            sentence: format!(
                "In the last five minutes half of the sampled requests took at most {all_half}, and 95 of 100 at most {all_tail}."
            ),
            all_half,
            all_tail,
        }
    }
}

fn sum(seconds: &[Second]) -> [u64; 3] {
    seconds.iter().fold([0; 3], |[allowed, refused, failed], second| {
        [allowed + second.allowed, refused + second.refused, failed + second.failed]
    })
}

/// Median and 95th percentile (nearest rank) of what was sampled; `None` when nothing was.
fn quantiles(seconds: &[Second]) -> Option<(u64, u64)> {
    let mut samples: Vec<u64> = seconds.iter().flat_map(|second| second.microseconds.iter().copied()).collect();
    samples.sort_unstable();
    let rank = |percent: usize| samples.get((samples.len() * percent).div_ceil(100).saturating_sub(1)).copied();
    Some((rank(50)?, rank(95)?))
}

fn minutes(seconds: &[Second]) -> Vec<Minute> {
    let many = seconds.len().div_ceil(60);
    seconds
        .chunks(60)
        .enumerate()
        .map(|(place, minute)| {
            let [allowed, refused, failed] = sum(minute).map(words::count);
            let figures = quantiles(minute);
            let [half, tail] = [figures.map(|figures| figures.0), figures.map(|figures| figures.1)].map(in_words);
            let label = match many - place {
                1 => "the last minute".to_owned(),
                ago => format!("{ago} to {} minutes ago", ago - 1),
            };
            Minute { label, allowed, refused, failed, half, tail }
        })
        .collect()
}

fn in_words(microseconds: Option<u64>) -> String {
    microseconds.map_or_else(|| "no sample".to_owned(), words::milliseconds)
}

/// The next 1, 2 or 5 times a power of ten, even so that its half is a whole number.
fn ceiling(most: u64) -> u64 {
    let mut power = 1_u64;
    loop {
        for factor in [2, 4, 10] {
            if most <= factor * power {
                return factor * power;
            }
        }
        power = power.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_and_its_table_tell_the_same_story() {
        let mut seconds = vec![Second::default(); 300];
        seconds[299] = Second { second: 0, allowed: 3, refused: 2, failed: 0, microseconds: vec![1000, 9000, 2000] };
        let chart = Requests::new(&seconds);
        assert_eq!(chart.pieces.len(), 2);
        assert_eq!(chart.minutes.len(), 5);
        let last = chart.minutes.last().unwrap();
        assert_eq!(
            (last.allowed.as_str(), last.refused.as_str(), last.half.as_str(), last.tail.as_str()),
            ("3", "2", "2.0 ms", "9.0 ms")
        );
        assert_eq!(Latency::new(&seconds).all_tail, "9.0 ms");
        assert_eq!(Latency::new(&seconds[..10]).all_tail, "no sample");
    }
}
