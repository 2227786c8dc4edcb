//! The bounds from both sides, and programs made to exhaust a reader.

use std::{
    fmt::Write,
    sync::LazyLock,
    time::{Duration, Instant},
};

use crate::wasm::{ActivationError, ActivationParams, activate, instrument_for_run};

const PARAMS: ActivationParams = ActivationParams {
    version: 2,
    arbos: 51,
    page_limit: 128,
    debug: false,
};

/// Time that this thread has had on a processor, which other work on the machine does not stretch; where the system
/// does not tell, time that passed.
fn spent_here() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    // Linux: nanoseconds on a processor, nanoseconds waiting for one, time slices.
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let told = told.and_then(|text| text.split(' ').next()?.parse().ok());
    told.map_or_else(|| START.elapsed(), Duration::from_nanos)
}

/// A program with one page of memory, this entrypoint and these other fields; imports come first.
fn program(imports: &str, fields: &str, code: &str) -> Vec<u8> {
    let text = format!(
        r#"(module {imports} (memory (export "memory") 1 1) {fields}
            (func (export "user_entrypoint") (param i32) (result i32) {code}))"#
    );
    wat::parse_str(text).unwrap()
}

fn accepted(fields: &str, code: &str) -> bool {
    activate(&program("", fields, code), PARAMS).is_ok()
}

fn refusal(wasm: &[u8], params: ActivationParams) -> String {
    activate(wasm, params).unwrap_err().to_string()
}

fn repeat(times: usize, item: impl Fn(usize) -> String) -> String {
    (0..times).fold(String::new(), |mut all, i| {
        let _ = write!(all, "{} ", item(i));
        all
    })
}

#[test]
fn counts_are_bounded_exactly() {
    let functions = |n: usize| accepted(&repeat(n - 1, |_| "(func)".into()), "i32.const 0");
    assert!(functions(4096) && !functions(4097));

    let globals = |n| {
        accepted(
            &repeat(n, |_| "(global i32 (i32.const 0))".into()),
            "i32.const 0",
        )
    };
    assert!(globals(32_764) && !globals(32_765));

    let locals = |n| {
        accepted(
            "",
            &format!("(local {}) i32.const 0", repeat(n, |_| "i64".into())),
        )
    };
    assert!(locals(348) && !locals(349));

    let data = |n| {
        accepted(
            &repeat(n, |_| r#"(data (i32.const 0) "")"#.into()),
            "i32.const 0",
        )
    };
    assert!(data(128) && !data(129));

    let elements = |n| {
        let segments = repeat(n, |_| "(elem (i32.const 0) func)".into());
        accepted(&format!("(table 1 funcref) {segments}"), "i32.const 0")
    };
    assert!(elements(128) && !elements(129));

    let element_bytes = |n| {
        let indices = repeat(n, |_| "0".into());
        accepted(
            &format!("(table 4096 funcref) (elem (i32.const 0) func {indices})"),
            "i32.const 0",
        )
    };
    assert!(element_bytes(4090) && !element_bytes(4091));

    let table = |n: u32| accepted(&format!("(table {n} funcref)"), "i32.const 0");
    assert!(table(4096) && !table(4097));

    // One block: 12 for its charge, 12 on entry, 5 at the end, `i32.const 0` and `end`.
    let operators = |n: usize| {
        accepted(
            "",
            &format!("{} i32.const 0", repeat(n - 31, |_| "nop".into())),
        )
    };
    assert!(operators(65_536) && !operators(65_537));

    let imports = |n| {
        let import = r#"(import "vm_hooks" "msg_sender" (func (type $t)))"#;
        let imports = format!(
            "(type $t (func (param i32))) {}",
            repeat(n, |_| import.into())
        );
        activate(&program(&imports, "", "i32.const 0"), PARAMS).is_ok()
    };
    assert!(imports(513) && !imports(514));
}

#[test]
fn exports_are_bounded_on_debug_chains_only() {
    let wasm = |n: usize| {
        program(
            "",
            &repeat(n - 2, |i| format!(r#"(func (export "e{i}"))"#)),
            "i32.const 0",
        )
    };
    let debug = ActivationParams {
        debug: true,
        ..PARAMS
    };
    assert!(activate(&wasm(1020), debug).is_ok());
    assert!(refusal(&wasm(1021), debug).contains("too many exports: 1025"));
    assert!(activate(&wasm(1021), PARAMS).is_ok());
}

#[test]
fn frames_and_stacks_are_bounded_exactly() {
    let stack = |n: usize| {
        accepted(
            "",
            &format!(
                "{} {}",
                repeat(n, |_| "i32.const 0".into()),
                repeat(n - 1, |_| "drop".into())
            ),
        )
    };
    // The two words of the charge are never on top of the deepest point of the only block.
    assert!(stack(4096) && !stack(4097));
}

#[test]
fn memory_is_bounded_and_must_be_paid_for() {
    let wasm = |limits: &str, imports: &str| {
        let text = format!(
            r#"(module {imports} (memory (export "memory") {limits})
                (func (export "user_entrypoint") (param i32) (result i32) i32.const 0))"#
        );
        wat::parse_str(text).unwrap()
    };
    let pay = r#"(import "vm_hooks" "pay_for_memory_grow" (func (param i32)))"#;
    assert_eq!(
        activate(&wasm("128 128", ""), PARAMS)
            .unwrap()
            .footprint_pages,
        128
    );
    assert!(activate(&wasm("129 129", ""), PARAMS).is_err());
    assert!(activate(&wasm("1", pay), PARAMS).is_ok());
    assert!(refusal(&wasm("1", ""), PARAMS).contains("missing import pay_for_memory_grow"));
    assert!(activate(&wasm("1", &pay.replace("i32", "i64")), PARAMS).is_err());
}

#[test]
fn names_of_the_instrumentation_and_of_imports_are_reserved() {
    let import = r#"(import "vm_hooks" "read_args" (func (param i32)))"#;
    let exported = |name: &str| {
        let function = format!(r#"(func (export "{name}"))"#);
        activate(&program(import, &function, "i32.const 0"), PARAMS).is_ok()
    };
    assert!(!exported("stylus_ink_left") && !exported("foo__stylus_x") && exported("stylus__bar"));
    assert!(!exported("read_args") && !exported("my__read_args") && exported("write_result"));
}

#[test]
fn the_entrypoint_may_be_an_import() {
    let text = r#"(module (import "vm_hooks" "account_code_size" (func $f (param i32) (result i32)))
        (memory (export "memory") 0 0) (export "user_entrypoint" (func $f)))"#;
    assert!(activate(&wat::parse_str(text).unwrap(), PARAMS).is_ok());
}

#[test]
fn start_functions_become_an_export_on_debug_chains() {
    let wasm = program("", "(func $s) (start $s)", "i32.const 0");
    assert!(activate(&wasm, PARAMS).is_err());
    let debug = ActivationParams {
        debug: true,
        ..PARAMS
    };
    activate(&wasm, debug).unwrap();
    let module = instrument_for_run(&wasm, debug).unwrap();
    let text = String::from_utf8_lossy(&module);
    assert!(text.contains("stylus_start") && text.contains("stylus_stack_left"));
}

#[test]
fn segments_must_fit() {
    let data = |at: u32, text: &str| {
        accepted(
            &format!(r#"(data (i32.const {at}) "{text}")"#),
            "i32.const 0",
        )
    };
    assert!(data(65_536, "") && !data(65_537, ""));
    assert!(data(65_535, "a") && !data(65_535, "ab") && !data(u32::MAX, "a"));
    let element = |at: u32| {
        accepted(
            &format!("(table 2 funcref) (elem (i32.const {at}) func 0)"),
            "i32.const 0",
        )
    };
    assert!(element(1) && !element(2));
}

#[test]
fn an_overlong_table_index_is_refused() {
    use wasm_encoder::{
        CodeSection, ExportKind, ExportSection, Function, FunctionSection, MemorySection,
        MemoryType, Module, RefType, TableSection, TableType, TypeSection, ValType,
    };
    let wasm = |call: &[u8]| {
        let mut types = TypeSection::new();
        types.ty().function([ValType::I32], [ValType::I32]);
        let mut functions = FunctionSection::new();
        functions.function(0);
        let mut tables = TableSection::new();
        tables.table(TableType {
            element_type: RefType::FUNCREF,
            table64: false,
            minimum: 1,
            maximum: None,
            shared: false,
        });
        let mut memories = MemorySection::new();
        memories.memory(MemoryType {
            minimum: 1,
            maximum: Some(1),
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        let mut exports = ExportSection::new();
        exports.export("memory", ExportKind::Memory, 0);
        exports.export("user_entrypoint", ExportKind::Func, 0);
        let mut body = Function::new([]);
        body.raw([0x20, 0, 0x20, 0])
            .raw(call.iter().copied())
            .raw([0x0b]);
        let mut code = CodeSection::new();
        code.function(&body);
        let mut module = Module::new();
        module.section(&types).section(&functions).section(&tables);
        module.section(&memories).section(&exports).section(&code);
        module.finish()
    };
    assert!(activate(&wasm(&[0x11, 0, 0]), PARAMS).is_ok());
    assert!(activate(&wasm(&[0x11, 0x80, 0, 0]), PARAMS).is_ok());
    assert!(refusal(&wasm(&[0x11, 0, 0x80, 0]), PARAMS).contains("zero byte expected"));
}

#[test]
fn a_data_count_is_refused() {
    let wasm = program("", r#"(data $d "x")"#, "(data.drop $d) i32.const 0");
    assert!(refusal(&wasm, PARAMS).contains("section 12"));
    assert!(accepted(r#"(data $d "x")"#, "i32.const 0"));
}

#[test]
fn other_versions_and_huge_inputs_are_refused() {
    let wasm = program("", "", "i32.const 0");
    for version in [0, 4] {
        assert!(refusal(&wasm, ActivationParams { version, ..PARAMS }).contains("version"));
    }
    assert!(refusal(&vec![0; (1 << 20) + 1], PARAMS).contains("want at most"));
}

#[test]
fn gas_bounds_activation() {
    let wasm = program("", "", "i32.const 0");
    let gas = activate(&wasm, PARAMS).unwrap().variable_gas;
    assert!(crate::wasm::activate_within(&wasm, PARAMS, gas).is_ok());
    let error: ActivationError = crate::wasm::activate_within(&wasm, PARAMS, gas - 1).unwrap_err();
    assert_eq!(error.to_string(), "out of gas");
}

/// Programs of up to 128 KiB, as large as the chain lets through.
#[test]
fn bombs_are_defused_in_time() {
    let nested = |n| {
        format!(
            "{} {} i32.const 0",
            repeat(n, |_| "block".into()),
            repeat(n, |_| "end".into())
        )
    };
    let targets = |n| {
        format!(
            "(block (br_table {} (local.get 0))) i32.const 0",
            repeat(n, |_| "0".into())
        )
    };
    let thousand = repeat(1000, |_| "i64".into());
    let calls = |n| format!("unreachable {} unreachable", repeat(n, |_| "call 0".into()));
    let wide_labels = |n| {
        let table = format!("unreachable br_table {}", repeat(n, |_| "0".into()));
        format!("(block (result {thousand}) {table}) unreachable")
    };
    let bombs = [
        (
            "nesting within bounds",
            program("", "", &nested(4000)),
            true,
        ),
        ("nesting", program("", "", &nested(65_000)), false),
        ("br_table", program("", "", &targets(120_000)), true),
        (
            "locals",
            program(
                "",
                "",
                &format!("(local {}) i32.const 0", repeat(65_536, |_| "i64".into())),
            ),
            false,
        ),
        (
            "functions",
            program("", &repeat(30_000, |_| "(func)".into()), "i32.const 0"),
            false,
        ),
        (
            "blocks",
            program(
                "",
                "",
                &format!(
                    "{} i32.const 0",
                    repeat(30_000, |_| "i32.const 0 br 0".into())
                ),
            ),
            false,
        ),
        (
            "wide calls",
            program(
                "",
                &format!("(func (param {thousand}) (result {thousand}) unreachable)"),
                &calls(60_000),
            ),
            false,
        ),
        ("wide labels", program("", "", &wide_labels(120_000)), true),
    ];
    for (name, wasm, ok) in bombs {
        let start = spent_here();
        let result = activate(&wasm, PARAMS);
        let spent = spent_here() - start;
        println!(
            "{name}: {} bytes in {spent:?}, {:?}",
            wasm.len(),
            result.as_ref().err()
        );
        assert_eq!(result.is_ok(), ok, "{name}");
        assert!(spent < Duration::from_secs(5), "{name} took {spent:?}");
    }
}

#[test]
fn a_large_program_activates_in_no_time() {
    let body = repeat(60, |i| {
        format!(
            "(local.set 0 (i32.add (local.get 0) (i32.load (i32.const {i})))) (if (local.get 0) (then (br 1) ))"
        )
    });
    let functions = repeat(90, |_| format!("(func (param i32) (block {body}))"));
    let wasm = program("", &functions, "i32.const 0");
    assert!(wasm.len() > 80_000, "{}", wasm.len());
    let start = spent_here();
    activate(&wasm, PARAMS).unwrap();
    let spent = spent_here() - start;
    assert!(spent < Duration::from_secs(1), "{spent:?}");
}
