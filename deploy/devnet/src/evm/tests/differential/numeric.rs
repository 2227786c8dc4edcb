//! Integer arithmetic, as the WebAssembly specification has it.

use wasmparser::Operator;

use super::meter::Stop;

/// Applies a numeric instruction; `false` if it is none.
pub(super) fn apply(op: &Operator<'_>, values: &mut Vec<u64>) -> Result<bool, Stop> {
    use Operator::*;
    if let Some(result) = unary(op, values.last().copied().unwrap_or_default()) {
        values.pop();
        values.push(result);
        return Ok(true);
    }
    let [.., a, b] = values[..] else {
        return Ok(false);
    };
    let (x, y) = (a as u32, b as u32);
    let (sx, sy) = (x.cast_signed(), y.cast_signed());
    let (sa, sb) = (a.cast_signed(), b.cast_signed());
    let narrow = |value: u32| u64::from(value);
    let fail = Stop::Failure;
    let result = match op {
        I32Add => narrow(x.wrapping_add(y)),
        I32Sub => narrow(x.wrapping_sub(y)),
        I32Mul => narrow(x.wrapping_mul(y)),
        I32And => narrow(x & y),
        I32Or => narrow(x | y),
        I32Xor => narrow(x ^ y),
        I32Shl => narrow(x.wrapping_shl(y)),
        I32ShrU => narrow(x.wrapping_shr(y)),
        I32ShrS => narrow(sx.wrapping_shr(y).cast_unsigned()),
        I32Rotl => narrow(x.rotate_left(y % 32)),
        I32Rotr => narrow(x.rotate_right(y % 32)),
        I32DivU => narrow(x.checked_div(y).ok_or(fail)?),
        I32RemU => narrow(x.checked_rem(y).ok_or(fail)?),
        I32DivS => narrow(sx.checked_div(sy).ok_or(fail)?.cast_unsigned()),
        I32RemS if sy == 0 => return Err(fail),
        I32RemS => narrow(sx.wrapping_rem(sy).cast_unsigned()),
        I32Eq => (x == y).into(),
        I32Ne => (x != y).into(),
        I32LtU => (x < y).into(),
        I32LtS => (sx < sy).into(),
        I32GtU => (x > y).into(),
        I32GtS => (sx > sy).into(),
        I32LeU => (x <= y).into(),
        I32LeS => (sx <= sy).into(),
        I32GeU => (x >= y).into(),
        I32GeS => (sx >= sy).into(),
        I64Add => a.wrapping_add(b),
        I64Sub => a.wrapping_sub(b),
        I64Mul => a.wrapping_mul(b),
        I64And => a & b,
        I64Or => a | b,
        I64Xor => a ^ b,
        I64Shl => a.wrapping_shl(y),
        I64ShrU => a.wrapping_shr(y),
        I64ShrS => sa.wrapping_shr(y).cast_unsigned(),
        I64Rotl => a.rotate_left(y % 64),
        I64Rotr => a.rotate_right(y % 64),
        I64DivU => a.checked_div(b).ok_or(fail)?,
        I64RemU => a.checked_rem(b).ok_or(fail)?,
        I64DivS => sa.checked_div(sb).ok_or(fail)?.cast_unsigned(),
        I64RemS if sb == 0 => return Err(fail),
        I64RemS => sa.wrapping_rem(sb).cast_unsigned(),
        I64Eq => (a == b).into(),
        I64Ne => (a != b).into(),
        I64LtU => (a < b).into(),
        I64LtS => (sa < sb).into(),
        I64GtU => (a > b).into(),
        I64GtS => (sa > sb).into(),
        I64LeU => (a <= b).into(),
        I64LeS => (sa <= sb).into(),
        I64GeU => (a >= b).into(),
        I64GeS => (sa >= sb).into(),
        _ => return Ok(false),
    };
    values.truncate(values.len() - 2);
    values.push(result);
    Ok(true)
}

fn unary(op: &Operator<'_>, a: u64) -> Option<u64> {
    use Operator::*;
    let x = a as u32;
    Some(match op {
        I32Eqz => (x == 0).into(),
        I64Eqz => (a == 0).into(),
        I32Clz => x.leading_zeros().into(),
        I32Ctz => x.trailing_zeros().into(),
        I32Popcnt => x.count_ones().into(),
        I64Clz => a.leading_zeros().into(),
        I64Ctz => a.trailing_zeros().into(),
        I64Popcnt => a.count_ones().into(),
        I32WrapI64 | I64ExtendI32U => x.into(),
        I64ExtendI32S | I64Extend32S => i64::from(x.cast_signed()).cast_unsigned(),
        I32Extend8S => i32::from(x as i8).cast_unsigned().into(),
        I32Extend16S => i32::from(x as i16).cast_unsigned().into(),
        I64Extend8S => i64::from(a as i8).cast_unsigned(),
        I64Extend16S => i64::from(a as i16).cast_unsigned(),
        _ => return None,
    })
}
