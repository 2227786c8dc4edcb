//! Opcodes that differ from Ethereum's by more than a constant of the block.

use alloy_primitives::Address;
use revm::context_interface::Host;
use revm::interpreter::instructions::host;
use revm::interpreter::interpreter::EthInterpreter;
use revm::interpreter::{Instruction, InstructionContext, InstructionResult};

use super::{context::Ctx, watch};
use crate::arbos::code::Code;

/// The static part of SELFDESTRUCT's price.
pub(crate) const SELFDESTRUCT_GAS: u16 = 5000;

/// SELFDESTRUCT, which reverts while the acting address holds a Stylus program or a part of one.
pub(crate) fn selfdestruct<'a>() -> Instruction<EthInterpreter, Ctx<'a>> {
    Instruction::new(|context: InstructionContext<'_, Ctx<'a>, EthInterpreter>| {
        let acting = context.interpreter.input.target_address;
        match context.host.load_account_code(acting) {
            Some(code) if Code::of(&code.data, context.host.chain.arbos).is_component() => {
                Err(InstructionResult::Revert)
            }
            Some(_) => {
                let heir = context.interpreter.stack.data().last().copied();
                let accounts = &context.host.journaled_state.inner.state;
                let value = accounts.get(&acting).map(|account| account.info.balance);
                let ended = host::selfdestruct(InstructionContext {
                    interpreter: &mut *context.interpreter,
                    host: &mut *context.host,
                });
                if let (Err(InstructionResult::SelfDestruct), Some(heir)) = (ended, heir) {
                    let heir = Address::from_word(heir.into());
                    watch::destroyed(context.host, acting, heir, value.unwrap_or_default());
                }
                ended
            }
            None => Err(InstructionResult::FatalExternalError),
        }
    })
}
