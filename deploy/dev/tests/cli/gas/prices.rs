//! Prices of gas and ether, and arguments that are none.

use super::*;

#[test]
fn prices_make_the_papers_table_again() {
    let prices = [
        "--l1-price",
        "0.25",
        "--l2-gas-price",
        "0.2",
        "--ether-price",
        "2500",
        "--json",
    ];
    let bill = Run::of(gas(2).args(prices)).json();
    assert_eq!(
        (
            &bill["l1_price_gwei"],
            &bill["l2_gas_price_gwei"],
            &bill["ether_price_usd"]
        ),
        (&"0.25".into(), &"0.2".into(), &"2500".into())
    );
    let items = bill["rows"].as_array().unwrap();
    let operations: Vec<_> = items
        .iter()
        .map(|it| it["operation"].as_str().unwrap())
        .collect();
    let mut wanted = FIVE.map(|(operation, ..)| operation).to_vec();
    wanted.extend([CYCLE, DEPLOYMENT]);
    assert_eq!(operations, wanted);
    let mut l1_gas = 0;
    for item in items {
        let operation = item["operation"].as_str().unwrap();
        assert_eq!(item["l2_gas"], row(2, operation)["cached"]);
        let (l1, bytes) = (gas_of(item, "l1_gas"), gas_of(item, "l1_bytes"));
        assert!(
            bytes > 100,
            "a signature alone does not compress to less: {item}"
        );
        if FIVE.iter().any(|(it, ..)| *it == operation) {
            // 0.25 gwei · 16 units · bytes / 0.2 gwei
            assert_eq!(l1, 20 * bytes, "{item}");
            l1_gas += l1;
        }
        let number = |field: &str| item[field].as_str().unwrap().parse::<f64>().unwrap();
        let ether = (gas_of(item, "l2_gas") + l1) as f64 * 0.2e-9;
        assert!((number("ether") - ether).abs() < 1e-15, "{item}");
        assert!((number("usd") - ether * 2500.0).abs() < 1.1e-6, "{item}");
    }
    assert_eq!(items[5]["l1_gas"], l1_gas);
    assert_eq!(items[0]["paper_ether"], "0.000134788");
    assert_eq!(items[1]["paper_usd"], "0.093");
    assert!(items[6]["paper_ether"].is_null());
}

#[test]
fn prices_that_are_none_are_refused() {
    for wrong in [
        ["--l1-price", "1"].as_slice(),
        &["--ether-price", "1"],
        &["--l1-price", "-1", "--ether-price", "1"],
        &["--l1-price", "1", "--ether-price", "much"],
        &[
            "--l1-price",
            "1",
            "--ether-price",
            "1",
            "--l2-gas-price",
            "0",
        ],
        &["--size", "--figures", "somewhere"],
        &["--contract-version", "3"],
    ] {
        let run = Run::of(gas(2).args(wrong));
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (Some(2), ""),
            "{wrong:?}: {run:#?}"
        );
    }
}

#[test]
fn a_module_that_is_none_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("module.wasm");
    let measure = || Run::of(pcim_dev().arg("gas").arg("--wasm").arg(&file));
    measure().refused(1, "module.wasm");
    std::fs::write(&file, "no module").unwrap();
    measure().refused(1, "not a WASM module");
    std::fs::write(&file, vec![0; 131_073]).unwrap();
    measure().refused(2, "more than the 131072 bytes");
}
