// swift-tools-version: 6.2
// A package of its own, so that the product never depends on its benchmarks. Here is only what links our kernels; the rest is Python: see README.md.
import PackageDescription

let package = Package(
    name: "benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "fathom", path: "..", traits: [])],
    targets: [
        .executableTarget(
            name: "fathom-products", dependencies: [.product(name: "Fathom", package: "fathom")], path: "products",
            sources: ["fathom.c", "product.c"], publicHeadersPath: "."),
    ],
    cLanguageStandard: .c11
)
