//! Conditions of `if-condition` steps: `__alerts__:value >= 3 AND __severity__:value >= high`.

use bartizan_core::Severity;

/// What conditions may ask about.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// Alerts of the incident so far.
    pub(crate) alerts: u64,
    /// Different rules that fired.
    pub(crate) rules: u64,
    /// Seconds since the incident was opened.
    pub(crate) seconds: u64,
    pub(crate) severity: Severity,
    pub(crate) drill: bool,
}

/// Comparisons that must all hold.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Condition(Vec<Comparison>);

#[derive(Clone, PartialEq, Debug)]
struct Comparison {
    variable: Variable,
    operator: Operator,
    value: u64,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Variable {
    Alerts,
    Rules,
    Seconds,
    Severity,
    Drill,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Operator {
    Equal,
    Unequal,
    AtLeast,
    AtMost,
    Above,
    Below,
}

impl Condition {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        text.split(" AND ").map(comparison).collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn holds(&self, facts: &Facts) -> bool {
        self.0.iter().all(|comparison| {
            let fact = match comparison.variable {
                Variable::Alerts => facts.alerts,
                Variable::Rules => facts.rules,
                Variable::Seconds => facts.seconds,
                Variable::Severity => facts.severity as u64,
                Variable::Drill => u64::from(facts.drill),
            };
            match comparison.operator {
                Operator::Equal => fact == comparison.value,
                Operator::Unequal => fact != comparison.value,
                Operator::AtLeast => fact >= comparison.value,
                Operator::AtMost => fact <= comparison.value,
                Operator::Above => fact > comparison.value,
                Operator::Below => fact < comparison.value,
            }
        })
    }
}

fn comparison(text: &str) -> Result<Comparison, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [variable, operator, value] = words.as_slice() else {
        return Err(format!("`{text}` is not `__variable__:value operator value`"));
    };
    let variable = match *variable {
        "__alerts__:value" => Variable::Alerts,
        "__rules__:value" => Variable::Rules,
        "__seconds__:value" => Variable::Seconds,
        "__severity__:value" => Variable::Severity,
        "__drill__:value" => Variable::Drill,
        other => {
            let known = "__alerts__, __rules__, __seconds__, __severity__, __drill__";
            return Err(format!("unknown variable `{other}`; known are {known}, each followed by `:value`"));
        }
    };
    let operator = match *operator {
        "=" => Operator::Equal,
        "!=" => Operator::Unequal,
        ">=" => Operator::AtLeast,
        "<=" => Operator::AtMost,
        ">" => Operator::Above,
        "<" => Operator::Below,
        other => return Err(format!("unknown operator `{other}`; use = != >= <= > <")),
    };
    let plain = value.trim_matches('\'');
    let parsed = match variable {
        Variable::Severity => Severity::parse(plain).map(|severity| severity as u64),
        Variable::Drill => plain.parse::<bool>().ok().map(u64::from),
        _ => plain.parse().ok(),
    };
    let value = parsed.ok_or_else(|| format!("`{value}` is no value for that variable"))?;
    Ok(Comparison { variable, operator, value })
}
