//! The machine: revm's frames and Stylus programs on one frame stack.
//!
//! A call frame whose code is a Stylus program is driven by [`stylus`](super::stylus) instead of the
//! interpreter. A program that calls out yields a new frame exactly as the CALL opcode does, and gets the
//! frame's result when it returns: nesting needs no recursion here.

use std::collections::HashMap;

use alloy_primitives::Address;
use revm::bytecode::opcode;
use revm::context::{ContextTr, Evm};
use revm::context_interface::local::FrameStack;
use revm::handler::evm::{ContextDbError, FrameInitResult};
use revm::handler::instructions::EthInstructions;
use revm::handler::{EthFrame, EvmTr, FrameInitOrResult, FrameResult, FrameTr, ItemOrResult};
use revm::interpreter::interpreter::EthInterpreter;
use revm::interpreter::interpreter_action::FrameInit;
use revm::interpreter::{CallScheme, FrameInput, InstructionResult, InterpreterAction};
use revm::primitives::hardfork::SpecId;

use super::context::{Ctx, Fatal};
use super::instructions;
use super::stylus::{self, ProgramFrame};
use super::watch;
use crate::arbos::code::Code;
use crate::arbos::precompiles::ArbPrecompiles;
use crate::engine::Engine;

type Frame = EthFrame<EthInterpreter>;
type Instructions<'a> = EthInstructions<EthInterpreter, Ctx<'a>>;

/// revm with Arbitrum's instructions, precompiles and programs.
pub(crate) struct Machine<'a> {
    inner: Evm<Ctx<'a>, (), Instructions<'a>, ArbPrecompiles, Frame>,
    engine: &'a Engine,
    /// One for each frame on the frame stack.
    sides: Vec<Side>,
    /// Open frames by acting address, delegate calls not counted.
    spans: HashMap<Address, u32>,
}

/// The part of a frame that revm does not have.
struct Side {
    span: Option<Address>,
    program: Option<ProgramFrame>,
}

impl<'a> Machine<'a> {
    pub(crate) fn new(
        ctx: Ctx<'a>,
        engine: &'a Engine,
        spec: SpecId,
        moved: HashMap<Address, Option<Address>>,
    ) -> Self {
        let mut table = Instructions::new_mainnet_with_spec(spec);
        table.insert_instruction(
            opcode::SELFDESTRUCT,
            instructions::selfdestruct(),
            instructions::SELFDESTRUCT_GAS,
        );
        let precompiles = ArbPrecompiles::new(spec, ctx.chain.arbos, moved);
        Self {
            inner: Evm::new(ctx, table, precompiles),
            engine,
            sides: Vec::new(),
            spans: HashMap::new(),
        }
    }

    /// Ends the transaction and gives its context back, with the journal that holds the changes.
    pub(crate) fn into_context(self) -> Ctx<'a> {
        self.inner.ctx
    }

    /// Runs the call `input` with `program` in its frame, instead of what its code says.
    #[cfg(test)]
    pub(super) fn run_with(
        &mut self,
        input: FrameInit,
        program: ProgramFrame,
    ) -> Result<FrameResult, Fatal> {
        assert!(matches!(self.frame_init(input)?, ItemOrResult::Item(_)));
        if let Some(side) = self.sides.last_mut() {
            side.program = Some(program);
        }
        loop {
            let result = match self.frame_run()? {
                ItemOrResult::Item(init) => match self.frame_init(init)? {
                    ItemOrResult::Item(_) => continue,
                    ItemOrResult::Result(result) => result,
                },
                ItemOrResult::Result(result) => result,
            };
            if let Some(result) = self.frame_return_result(result)? {
                return Ok(result);
            }
        }
    }

    fn open(&mut self) -> Side {
        let frame = self.inner.frame_stack.get();
        let own = match &frame.input {
            FrameInput::Call(call) => {
                matches!(call.scheme, CallScheme::Call | CallScheme::StaticCall)
            }
            FrameInput::Create(_) => true,
            FrameInput::Empty => false,
        };
        let span = own.then_some(frame.interpreter.input.target_address);
        if let Some(address) = span {
            *self.spans.entry(address).or_default() += 1;
        }
        Side {
            span,
            program: None,
        }
    }

    fn close(&mut self) {
        let Some(address) = self.sides.pop().and_then(|side| side.span) else {
            return;
        };
        if let Some(open) = self.spans.get_mut(&address) {
            *open -= 1;
        }
    }

    fn run_program(&mut self) -> Result<InterpreterAction, Fatal> {
        let frame = self.inner.frame_stack.get();
        let ctx = &mut self.inner.ctx;
        let side = self
            .sides
            .last_mut()
            .expect("every frame on the stack has a side");
        if side.program.is_none() {
            let acting = frame.interpreter.input.target_address;
            let reentrant = self.spans.get(&acting).is_some_and(|open| *open > 1);
            match stylus::enter(ctx, frame, self.engine, reentrant)? {
                Ok(program) => side.program = Some(program),
                Err(result) => return Ok(InterpreterAction::Return(result)),
            }
        }
        match &mut side.program {
            Some(program) => program.run(ctx, frame),
            None => unreachable!("entered above"),
        }
    }
}

impl<'a> EvmTr for Machine<'a> {
    type Context = Ctx<'a>;
    type Instructions = Instructions<'a>;
    type Precompiles = ArbPrecompiles;
    type Frame = Frame;

    fn all(
        &self,
    ) -> (
        &Ctx<'a>,
        &Instructions<'a>,
        &ArbPrecompiles,
        &FrameStack<Frame>,
    ) {
        self.inner.all()
    }

    fn all_mut(
        &mut self,
    ) -> (
        &mut Ctx<'a>,
        &mut Instructions<'a>,
        &mut ArbPrecompiles,
        &mut FrameStack<Frame>,
    ) {
        self.inner.all_mut()
    }

    fn frame_init(
        &mut self,
        input: FrameInit,
    ) -> Result<FrameInitResult<'_, Frame>, ContextDbError<Ctx<'a>>> {
        watch::open(&mut self.inner.ctx, &input.frame_input);
        let ended = match self.inner.frame_init(input)? {
            ItemOrResult::Result(result) => Some(result),
            ItemOrResult::Item(_) => None,
        };
        if let Some(result) = ended {
            watch::close(&mut self.inner.ctx, &result);
            return Ok(ItemOrResult::Result(result));
        }
        let side = self.open();
        self.sides.push(side);
        Ok(ItemOrResult::Item(self.inner.frame_stack.get()))
    }

    fn frame_run(&mut self) -> Result<FrameInitOrResult<Frame>, ContextDbError<Ctx<'a>>> {
        let arbos = self.inner.ctx.chain.arbos;
        let frame = self.inner.frame_stack.get();
        let code = frame.interpreter.bytecode.original_byte_slice();
        let action = if frame.data.is_call() && Code::of(code, arbos).is_program() {
            self.run_program()?
        } else {
            let (instructions, ctx) = (&self.inner.instruction, &mut self.inner.ctx);
            let watched = ctx
                .chain
                .trace
                .as_ref()
                .is_some_and(|trace| trace.opcodes().is_some());
            let mut action = match watched {
                true => watch::run(frame, instructions, ctx),
                false => frame.interpreter.run_plain(
                    instructions.instruction_table(),
                    instructions.gas_table(),
                    ctx,
                ),
            };
            if frame.data.is_create() {
                reject_foreign_ef(&mut action, arbos);
            }
            action
        };
        let frame = self.inner.frame_stack.get();
        frame
            .process_next_action(&mut self.inner.ctx, action)
            .inspect(|next| frame.set_finished(next.is_result()))
    }

    fn frame_return_result(
        &mut self,
        result: <Frame as FrameTr>::FrameResult,
    ) -> Result<Option<FrameResult>, ContextDbError<Ctx<'a>>> {
        if self.inner.frame_stack.get().is_finished() {
            self.inner.frame_stack.pop();
            self.close();
            watch::close(&mut self.inner.ctx, &result);
        }
        if self.inner.frame_stack.index().is_none() {
            return Ok(Some(result));
        }
        let frame = self.inner.frame_stack.get();
        match self.sides.last_mut().and_then(|side| side.program.as_mut()) {
            Some(program) => {
                std::mem::replace(self.inner.ctx.error(), Ok(()))?;
                program.resume(frame, result)?;
            }
            None => frame.return_result::<_, Fatal>(&mut self.inner.ctx, result)?,
        }
        Ok(None)
    }
}

/// EIP-3541 with the one exception: programs and their fragments may be deployed, other 0xEF code not.
fn reject_foreign_ef(action: &mut InterpreterAction, arbos: u64) {
    if let InterpreterAction::Return(result) = action
        && result.result.is_ok()
        && result.output.first() == Some(&0xef)
        && !Code::of(&result.output, arbos).is_component()
    {
        result.result = InstructionResult::CreateContractStartingWithEF;
    }
}
