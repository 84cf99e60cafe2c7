//! Trains the model that the crate embeds: `train TRAIN.jsonl DEVELOP.jsonl MODEL`. Same data, same bytes.
//!
//! Logistic regression on windows of hashed n-grams by `AdaGrad` (Duchi, Hazan and Singer, 2011), once a scale. A text
//! is as hostile as its worst window (multiple-instance learning): in each epoch a text is represented by the window
//! that the model so far finds the worst, and benign texts by a second one too, drawn by chance. Probabilities are
//! fitted on the development split (Platt, 1999), thresholds are read off its benign texts.
//! `bench/injection/collect.py` writes the data, one JSON object with `text`, `label` and `source` a line.

use std::fs;

use aws_lc_rs::digest::{SHA256, digest};
use bartizan_prompt::training::{Document, Scale, norm_of};
use bartizan_prompt::{Model, Numbers, ScaleNumbers};
use serde_json::Value;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Binary logarithms of the tables' sizes.
const BITS: u32 = 20;
const KIND_BITS: u32 = 16;
/// Words of a text that are looked at.
const WORDS: usize = 800;
const EPOCHS: usize = 12;
const RATE: f32 = 0.12;
/// What a text of our own rules counts: they make many of one idea.
const OWN: f32 = 0.3;
/// What an attack counts: there are fewer of them.
const HOSTILE: f32 = 2.0;

/// Folds of the cross-validation that finds doubtful attacks, and the score up to which one is.
const FOLDS: usize = 3;
const DOUBTFUL: f32 = 0.5;

/// Pulls weights towards zero at each step; stands against learning single texts by heart.
fn decay(scale: Scale) -> f32 {
    match scale {
        Scale::Page => 2e-3,
        Scale::Passage => 4e-4,
    }
}

struct Text {
    document: Document,
    hostile: bool,
    jailbreak: bool,
    /// An attack put into a document, which only a passage can tell.
    embedded: bool,
    own: bool,
    weight: f32,
}

/// A small generator, so that the order of texts is the same everywhere (Steele, Lea and Flood, 2014, `SplitMix64`).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound.max(1) as u64) as usize
    }
}

/// One table of weights under training.
struct Table {
    weights: Vec<f32>,
    squares: Vec<f32>,
    bias: f32,
    bias_square: f32,
    decay: f32,
}

impl Table {
    fn new(bits: u32, decay: f32) -> Self {
        Self { weights: vec![0.0; 1 << bits], squares: vec![1e-3; 1 << bits], bias: 0.0, bias_square: 1.0, decay }
    }

    fn score(&self, features: &[u32]) -> f32 {
        let mask = self.weights.len() - 1;
        let sum: f32 = features.iter().map(|hash| self.weights[*hash as usize & mask]).sum();
        self.bias + sum * norm_of(features.len())
    }

    fn worst<'a>(&self, scale: Scale, document: &'a Document) -> (f32, &'a [u32]) {
        let scored = document.windows(scale).map(|window| {
            let features = document.features(&window);
            (self.score(features), features)
        });
        scored.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((self.bias, &[]))
    }

    fn learn(&mut self, features: &[u32], hostile: bool, weight: f32) {
        let mask = self.weights.len() - 1;
        let error = (1.0 / (1.0 + (-self.score(features)).exp()) - f32::from(u8::from(hostile))) * weight;
        self.bias_square += error * error;
        self.bias -= RATE * error / self.bias_square.sqrt();
        let step = error * norm_of(features.len());
        for hash in features {
            let at = *hash as usize & mask;
            self.squares[at] += step * step;
            self.weights[at] -= RATE * step / self.squares[at].sqrt();
            self.weights[at] *= 1.0 - self.decay;
        }
    }

    /// The weights as whole numbers, and what one is worth. The largest of two thousand are cut off.
    fn quantised(&self) -> (Vec<i8>, f32) {
        let mut sizes: Vec<f32> = self.weights.iter().map(|weight| weight.abs()).filter(|size| *size > 0.0).collect();
        sizes.sort_by(f32::total_cmp);
        let largest = sizes.get(sizes.len().saturating_sub(1 + sizes.len() / 2000)).copied().unwrap_or(1.0);
        let unit = largest / 127.0;
        (self.weights.iter().map(|weight| (weight / unit).round().clamp(-127.0, 127.0) as i8).collect(), unit)
    }
}

fn read(path: &str) -> Result<(Vec<Text>, Vec<u8>)> {
    let bytes = fs::read(path)?;
    let mut texts = Vec::new();
    for line in String::from_utf8_lossy(&bytes).lines() {
        let row: Value = serde_json::from_str(line)?;
        let label = row["label"].as_u64().unwrap_or(0);
        let source = row["source"].as_str().unwrap_or("");
        let own = source.starts_with("attack.") || source.starts_with("benign.");
        let weight = if own { OWN } else { 1.0 } * if label > 0 { HOSTILE } else { 1.0 };
        let document = Document::of(row["text"].as_str().unwrap_or(""), WORDS);
        let embedded = source == "embedded";
        texts.push(Text { document, hostile: label > 0, jailbreak: label == 2, embedded, own, weight });
    }
    Ok((texts, bytes))
}

/// Takes attacks of others out that nothing but their label makes one: collections of jailbreaks hold plain role play.
///
/// A model that has not seen the attack judges it (three folds). What it calls harmless by far would teach the final
/// model to raise false alarms.
fn without_doubtful(mut texts: Vec<Text>) -> Vec<Text> {
    let mut keep = vec![true; texts.len()];
    for fold in 0..FOLDS {
        let seen: Vec<&Text> =
            texts.iter().enumerate().filter(|(at, _)| at % FOLDS != fold).map(|(_, text)| text).collect();
        let table = trained(Scale::Page, seen, 4);
        for (at, text) in texts.iter().enumerate().filter(|(at, text)| at % FOLDS == fold && text.hostile && !text.own)
        {
            keep[at] = text.embedded || table.worst(Scale::Page, &text.document).0 > DOUBTFUL;
        }
    }
    let mut keep = keep.into_iter();
    let before = texts.len();
    texts.retain(|_| keep.next().unwrap_or(true));
    eprintln!("{} doubtful attacks left out", before - texts.len());
    texts
}

fn trained<'a>(scale: Scale, texts: impl IntoIterator<Item = &'a Text>, epochs: usize) -> Table {
    let (mut chance, mut table) = (Chance(7), Table::new(BITS, decay(scale)));
    let mut order: Vec<&Text> = texts.into_iter().filter(|text| scale == Scale::Passage || !text.embedded).collect();
    for epoch in 0..epochs {
        for last in (1..order.len()).rev() {
            order.swap(last, chance.below(last + 1));
        }
        let mut wrong = 0;
        for text in &order {
            let (score, features) = table.worst(scale, &text.document);
            wrong += usize::from((score > 0.0) != text.hostile);
            table.learn(features, text.hostile, text.weight);
            if !text.hostile {
                let windows: Vec<_> = text.document.windows(scale).collect();
                let window = &windows[chance.below(windows.len())];
                table.learn(text.document.features(window), false, text.weight * 0.5);
            }
        }
        eprintln!("{scale:?}, epoch {epoch}: {wrong} of {} wrong", order.len());
    }
    table
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [train, develop, out] = arguments.as_slice() else {
        return Err("usage: train TRAIN.jsonl DEVELOP.jsonl MODEL".into());
    };
    let (texts, bytes) = read(train)?;
    let (develop, _) = read(develop)?;
    let texts = without_doubtful(texts);
    let tables = Scale::ALL.map(|scale| trained(scale, &texts, EPOCHS));
    let [page, _] = &tables;
    let mut kinds = Table::new(KIND_BITS, 0.0);
    for _ in 0..EPOCHS {
        for text in texts.iter().filter(|text| text.hostile && !text.embedded) {
            kinds.learn(page.worst(Scale::Page, &text.document).1, text.jailbreak, text.weight);
        }
    }

    let hostile: Vec<bool> = develop.iter().map(|text| text.hostile).collect();
    let mut scales = [ScaleNumbers::default(); 2];
    let mut probabilities = vec![0.0_f32; develop.len()];
    for ((table, scale), numbers) in tables.iter().zip(Scale::ALL).zip(&mut scales) {
        let scores: Vec<f32> = develop.iter().map(|text| table.worst(scale, &text.document).0).collect();
        let (slope, middle) = platt(&scores, &hostile);
        *numbers = ScaleNumbers { unit: 0.0, bias: table.bias, slope, middle };
        for (probability, score) in probabilities.iter_mut().zip(&scores) {
            *probability = probability.max(numbers.probability(*score));
        }
    }
    let [page, passage] = tables.map(|table| table.quantised());
    let (kind_weights, kind_unit) = kinds.quantised();
    scales[0].unit = page.1;
    scales[1].unit = passage.1;
    let numbers =
        Numbers { scales, kind_unit, kind_bias: kinds.bias, thresholds: thresholds(&probabilities, &hostile) };
    let mut data = [0; 32];
    data.copy_from_slice(digest(&SHA256, &bytes).as_ref());
    fs::write(out, Model::encode(&numbers, &data, [&page.0, &passage.0], &kind_weights))?;
    Ok(())
}

/// The probabilities that 5, 2, 1 and 0.1 % of benign texts reach.
fn thresholds(probabilities: &[f32], hostile: &[bool]) -> [f32; 4] {
    let of = |wanted: bool| probabilities.iter().zip(hostile).filter(move |(_, hostile)| **hostile == wanted);
    let mut benign: Vec<f32> = of(false).map(|(probability, _)| *probability).collect();
    benign.sort_by(|a, b| b.total_cmp(a));
    [0.05, 0.02, 0.01, 0.001].map(|rate: f32| {
        let threshold = benign.get((benign.len() as f32 * rate) as usize).copied().unwrap_or(1.0);
        let found = of(true).filter(|(probability, _)| **probability >= threshold).count();
        eprintln!(
            "development: {} % false alarms at {threshold:.4}, {found} of {} attacks",
            rate * 100.0,
            of(true).count()
        );
        threshold
    })
}

/// Slope and middle of the logistic curve that fits best, with both classes weighing the same.
fn platt(scores: &[f32], hostile: &[bool]) -> (f32, f32) {
    let attacks = hostile.iter().filter(|hostile| **hostile).count().max(1) as f32;
    let benign = (scores.len() as f32 - attacks).max(1.0);
    let (mut slope, mut offset) = (1.0_f32, 0.0_f32);
    for _ in 0..4000 {
        let (mut slope_step, mut offset_step) = (0.0, 0.0);
        for (score, hostile) in scores.iter().zip(hostile) {
            let error = 1.0 / (1.0 + (-(slope * score + offset)).exp()) - f32::from(u8::from(*hostile));
            let error = error / if *hostile { attacks } else { benign };
            slope_step += error * score;
            offset_step += error;
        }
        slope = (slope - 0.2 * slope_step).max(0.05);
        offset -= 0.2 * offset_step;
    }
    (slope, -offset / slope)
}
