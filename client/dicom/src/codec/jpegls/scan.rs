//! The decoding of a scan (Annexes A and F): prediction, contexts, runs.

use super::bits::Bits;
use crate::codec::decoded::{SHORT, Undecodable};

/// The order of the run lengths' codes (§A.2.1).
const J: [u32; 32] = [
    0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13,
    14, 15,
];
/// Contexts of regular mode; two more are for the ends of runs.
const CONTEXTS: usize = 365;

/// The coding parameters of a scan (§C.2.4.1.1).
pub(super) struct Parameters {
    most: i32,
    thresholds: [i32; 3],
    reset: i64,
    near: i32,
    range: i32,
    /// Bits of a prediction error.
    bits: u32,
    /// The longest code, in bits.
    limit: u32,
}

impl Parameters {
    pub(super) fn new(
        precision: u32,
        near: i32,
        preset: Option<[i32; 5]>,
    ) -> Result<Self, Undecodable> {
        let given = preset.unwrap_or_default();
        let or = |given: i32, usual: i32| if given == 0 { usual } else { given };
        let most = or(given[0], (1 << precision) - 1);
        if most >= 1 << precision || near > most / 2 {
            return Err(SHORT);
        }
        let clamp = |value: i32, least: i32| match value > most || value < least {
            true => least,
            false => value,
        };
        let [a, b, c] = match most >= 128 {
            true => {
                let factor = (most.min(4095) + 128) / 256;
                [
                    factor + 2 + 3 * near,
                    4 * factor + 3 + 5 * near,
                    17 * factor + 4 + 7 * near,
                ]
            }
            false => {
                let factor = 256 / (most + 1);
                [
                    (3 / factor + 3 * near).max(2),
                    (7 / factor + 5 * near).max(3),
                    (21 / factor + 7 * near).max(4),
                ]
            }
        };
        let first = or(given[1], clamp(a, near + 1));
        let second = or(given[2], clamp(b, first));
        let third = or(given[3], clamp(c, second));
        let reset = or(given[4], 64);
        if !(near < first && first <= second && second <= third && reset >= 3) {
            return Err(SHORT);
        }
        let range = (most + 2 * near) / (2 * near + 1) + 1;
        let length = |n: i32| 32 - (n - 1).leading_zeros();
        let wide = length(most + 1).max(2);
        Ok(Self {
            most,
            thresholds: [first, second, third],
            reset: reset.into(),
            near,
            range,
            bits: length(range),
            limit: 2 * (wide + wide.max(8)),
        })
    }

    fn quantized(&self, gradient: i32) -> i32 {
        let [first, second, third] = self.thresholds;
        let size = gradient.abs();
        let level = match size {
            size if size <= self.near => 0,
            size if size < first => 1,
            size if size < second => 2,
            size if size < third => 3,
            _ => 4,
        };
        level * gradient.signum()
    }

    /// The sample that a prediction and its error make (§A.4.5, §A.8).
    fn sample(&self, predicted: i32, error: i32) -> u16 {
        let step = 2 * self.near + 1;
        let mut value = predicted + error * step;
        if value < -self.near {
            value += self.range * step;
        } else if value > self.most + self.near {
            value -= self.range * step;
        }
        value.clamp(0, self.most) as u16
    }
}

/// The statistics of a context (§A.6); at the ends of runs `bias` counts the negative errors.
#[derive(Clone, Copy)]
struct Context {
    sum: i64,
    bias: i64,
    correction: i32,
    count: i64,
}

pub(super) struct Scan<'a> {
    bits: Bits<'a>,
    parameters: Parameters,
    contexts: Vec<Context>,
    columns: usize,
    rows: usize,
    components: usize,
}

/// The samples around one: to the left, above, above left, above right.
#[derive(Clone, Copy)]
struct Around {
    a: i32,
    b: i32,
    c: i32,
    d: i32,
}

/// A line and the one before it, each with a sample before its first and one behind its last.
struct Lines {
    current: Vec<u16>,
    previous: Vec<u16>,
    run: usize,
}

impl Lines {
    fn new(columns: usize) -> Self {
        Self {
            current: vec![0; columns + 2],
            previous: vec![0; columns + 2],
            run: 0,
        }
    }

    /// Makes room for the next line.
    fn begin(&mut self) {
        std::mem::swap(&mut self.current, &mut self.previous);
        let last = self.previous.len() - 1;
        self.previous[last] = self.previous[last - 1];
        self.current[0] = self.previous[1];
    }

    /// The samples around the sample at this place, counted from 1.
    fn around(&self, at: usize) -> Around {
        Around {
            a: self.current[at - 1].into(),
            b: self.previous[at].into(),
            c: self.previous[at - 1].into(),
            d: self.previous[at + 1].into(),
        }
    }

    fn samples(&self) -> &[u16] {
        &self.current[1..self.current.len() - 1]
    }
}

impl<'a> Scan<'a> {
    pub(super) fn new(
        coded: &'a [u8],
        parameters: Parameters,
        columns: usize,
        rows: usize,
        components: usize,
    ) -> Self {
        let fresh = Context {
            sum: ((i64::from(parameters.range) + 32) / 64).max(2),
            bias: 0,
            correction: 0,
            count: 1,
        };
        Self {
            bits: Bits::new(coded),
            parameters,
            contexts: vec![fresh; CONTEXTS + 2],
            columns,
            rows,
            components,
        }
    }

    /// Planes of a scan whose components take turns by lines, or of one component.
    pub(super) fn lines(&mut self) -> Result<Vec<Vec<u16>>, Undecodable> {
        let mut lines: Vec<Lines> = (0..self.components)
            .map(|_| Lines::new(self.columns))
            .collect();
        let mut planes = vec![Vec::new(); self.components];
        for _ in 0..self.rows {
            for (lines, plane) in lines.iter_mut().zip(&mut planes) {
                lines.begin();
                self.line(lines)?;
                plane.extend_from_slice(lines.samples());
            }
        }
        Ok(planes)
    }

    fn line(&mut self, lines: &mut Lines) -> Result<(), Undecodable> {
        let mut at = 1;
        while at <= self.columns {
            let around = lines.around(at);
            let context = self.context(around);
            if context != 0 {
                lines.current[at] = self.regular(around, context)?;
                at += 1;
                continue;
            }
            let length = self.run_length(&mut lines.run, self.columns + 1 - at)?;
            lines.current[at..at + length].fill(around.a as u16);
            at += length;
            if at <= self.columns {
                let Around { b, .. } = lines.around(at);
                let same = (around.a - b).abs() <= self.parameters.near;
                lines.current[at] = match same {
                    true => self.interrupted(around.a, 1, 1, lines.run)?,
                    false => {
                        let sign = if around.a > b { -1 } else { 1 };
                        self.interrupted(b, sign, 0, lines.run)?
                    }
                };
                lines.run = lines.run.saturating_sub(1);
                at += 1;
            }
        }
        Ok(())
    }

    /// Planes of a scan whose components take turns by samples.
    pub(super) fn samples(&mut self) -> Result<Vec<Vec<u16>>, Undecodable> {
        let mut lines: Vec<Lines> = (0..self.components)
            .map(|_| Lines::new(self.columns))
            .collect();
        let mut planes = vec![Vec::new(); self.components];
        let mut run = 0;
        for _ in 0..self.rows {
            lines.iter_mut().for_each(Lines::begin);
            let mut at = 1;
            while at <= self.columns {
                let around: Vec<Around> = lines.iter().map(|lines| lines.around(at)).collect();
                let contexts: Vec<i32> = around.iter().map(|a| self.context(*a)).collect();
                if contexts.iter().any(|context| *context != 0) {
                    for ((lines, around), context) in lines.iter_mut().zip(&around).zip(contexts) {
                        lines.current[at] = self.regular(*around, context)?;
                    }
                    at += 1;
                    continue;
                }
                let length = self.run_length(&mut run, self.columns + 1 - at)?;
                for (lines, around) in lines.iter_mut().zip(&around) {
                    lines.current[at..at + length].fill(around.a as u16);
                }
                at += length;
                if at <= self.columns {
                    for (lines, around) in lines.iter_mut().zip(&around) {
                        let Around { b, .. } = lines.around(at);
                        let sign = if around.a > b { -1 } else { 1 };
                        lines.current[at] = self.interrupted(b, sign, 0, run)?;
                    }
                    run = run.saturating_sub(1);
                    at += 1;
                }
            }
            for (lines, plane) in lines.iter().zip(&mut planes) {
                plane.extend_from_slice(lines.samples());
            }
        }
        Ok(planes)
    }

    /// The context of a sample, negative for the mirrored one; 0 where a run begins (§A.3).
    fn context(&self, around: Around) -> i32 {
        let Around { a, b, c, d } = around;
        let gradients = [d - b, b - c, c - a].map(|g| self.parameters.quantized(g));
        81 * gradients[0] + 9 * gradients[1] + gradients[2]
    }

    fn regular(&mut self, around: Around, context: i32) -> Result<u16, Undecodable> {
        let Around { a, b, c, .. } = around;
        let predicted = if c >= a.max(b) {
            a.min(b)
        } else if c <= a.min(b) {
            a.max(b)
        } else {
            a + b - c
        };
        // The context of no gradient is not mirrored.
        let sign = if context < 0 { -1 } else { 1 };
        let state = self.contexts[context.unsigned_abs() as usize];
        let predicted = (predicted + sign * state.correction).clamp(0, self.parameters.most);
        let k = golomb(state.count, state.sum);
        let mapped = self.code(k, self.parameters.limit)?;
        let half = (mapped >> 1) as i32;
        let error = match (mapped & 1 == 1, self.mirrored(k, state)) {
            (false, false) => half,
            (true, false) => -half - 1,
            (false, true) => -half - 1,
            (true, true) => half,
        };
        if error.abs() > self.parameters.range {
            return Err(SHORT);
        }
        self.learn(context.unsigned_abs() as usize, error);
        Ok(self.parameters.sample(predicted, sign * error))
    }

    fn mirrored(&self, k: u32, state: Context) -> bool {
        self.parameters.near == 0 && k == 0 && 2 * state.bias <= -state.count
    }

    /// Updates a context of regular mode (§A.6).
    fn learn(&mut self, context: usize, error: i32) {
        let Parameters { near, reset, .. } = self.parameters;
        let state = &mut self.contexts[context];
        state.bias += i64::from(error * (2 * near + 1));
        state.sum += i64::from(error.abs());
        if state.count == reset {
            state.sum >>= 1;
            state.bias >>= 1;
            state.count >>= 1;
        }
        state.count += 1;
        if state.bias <= -state.count {
            state.correction = (state.correction - 1).max(-128);
            state.bias = (state.bias + state.count).max(1 - state.count);
        } else if state.bias > 0 {
            state.correction = (state.correction + 1).min(127);
            state.bias = (state.bias - state.count).min(0);
        }
    }

    /// Reads the number of samples that repeat the one to the left (§A.7.1).
    fn run_length(&mut self, run: &mut usize, left: usize) -> Result<usize, Undecodable> {
        let mut length = 0;
        while self.bits.take(1)? == 1 {
            let block = 1 << J[*run];
            length += block;
            if length <= left {
                *run = (*run + 1).min(31);
            }
            if length >= left {
                return Ok(left);
            }
        }
        length += self.bits.take(J[*run])? as usize;
        match length < left {
            true => Ok(length),
            false => Err(SHORT),
        }
    }

    /// The sample that ends a run (§A.7.2); `kind` is 1 where it is like the one above.
    fn interrupted(
        &mut self,
        predicted: i32,
        sign: i32,
        kind: i32,
        run: usize,
    ) -> Result<u16, Undecodable> {
        let state = self.contexts[CONTEXTS + kind as usize];
        let k = golomb(
            state.count,
            state.sum + i64::from(kind) * (state.count >> 1),
        );
        let mapped = self.code(k, self.parameters.limit - J[run] - 1)? as i32;
        let twice = mapped + kind;
        let odd = twice & 1;
        let size = (twice + odd) / 2;
        let negative = (k != 0 || 2 * state.bias >= state.count) == (odd == 1);
        let error = if negative { -size } else { size };
        if size > self.parameters.range {
            return Err(SHORT);
        }
        let reset = self.parameters.reset;
        let state = &mut self.contexts[CONTEXTS + kind as usize];
        state.bias += i64::from(error < 0);
        state.sum += i64::from((mapped + 1 - kind) >> 1);
        if state.count == reset {
            state.sum >>= 1;
            state.bias >>= 1;
            state.count >>= 1;
        }
        state.count += 1;
        Ok(self.parameters.sample(predicted, sign * error))
    }

    /// A Golomb code of limited length (§A.5.3).
    fn code(&mut self, k: u32, limit: u32) -> Result<u32, Undecodable> {
        let escape = limit.checked_sub(self.parameters.bits + 1).ok_or(SHORT)?;
        let zeros = self.bits.zeros(escape + 1)?;
        match zeros < escape {
            true if k <= 16 => Ok((zeros << k) + self.bits.take(k)?),
            true => Err(SHORT),
            false => Ok(self.bits.take(self.parameters.bits)? + 1),
        }
    }
}

/// The parameter of a Golomb code: the mean error's bits (§A.5.1).
fn golomb(count: i64, sum: i64) -> u32 {
    let mut k = 0;
    while count << k < sum {
        k += 1;
    }
    k
}
