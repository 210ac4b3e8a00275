// swift-tools-version: 6.2
import Foundation
import PackageDescription

// Debian and its children name LLVM's OpenMP runtime omp5; elsewhere, Homebrew included, it is omp.
let onDebian = FileManager.default.fileExists(atPath: "/etc/debian_version")
let homebrew = ["/opt/homebrew/opt/libomp", "/usr/local/opt/libomp"].first { FileManager.default.fileExists(atPath: $0 + "/lib") }

#if os(macOS)
let openMPFlags = ["-Xclang", "-fopenmp"]
#else
let openMPFlags = ["-fopenmp"]
#endif

// Kernels stay at -O3 in debug builds: a later -O3 wins over debug's -O0. Fusing is explicit, so contraction is off.
let kernelFlags: [CSetting] = [.unsafeFlags(["-O3", "-ffp-contract=off", "-fno-math-errno"] + openMPFlags)]
let openMP: [LinkerSetting] = [.linkedLibrary(onDebian ? "omp5" : "omp")]
    + (homebrew.map { [.unsafeFlags(["-L\($0)/lib"], .when(platforms: [.macOS]))] } ?? [])

// Where little is unsafe, what is says so. Not in the core and the data readers: nearly every line of a plan or a parser's loop would.
let checked: [SwiftSetting] = [.strictMemorySafety()]

// An embedder who asks for no traits, `traits: []`, does not even fetch these two.
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser", condition: .when(traits: ["Tools"]))
let yams = Target.Dependency.product(name: "Yams", package: "Yams", condition: .when(traits: ["Tools"]))

let package = Package(
    name: "fathom",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "Fathom", targets: ["Fathom"]),
        .library(name: "FathomData", targets: ["FathomData"]),
        .library(name: "FathomFormats", targets: ["FathomFormats"]),
        .library(name: "FathomStability", targets: ["FathomStability"]),
        .executable(name: "fathom", targets: ["FathomCommand"]),
        .executable(name: "fathom-profiler", targets: ["FathomProfiler"]),
    ],
    traits: [
        .default(enabledTraits: ["Tools"]),
        .trait(name: "Tools", description: "What the command line and the files of runs need beyond the core: ArgumentParser and Yams"),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        .target(name: "CKernels", path: "CKernels", cSettings: kernelFlags, linkerSettings: openMP),
        .target(name: "Fathom", dependencies: ["CKernels"]),
        .systemLibrary(name: "CZlib", path: "Sources/CZlib", providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]),
        .target(name: "FathomData", dependencies: ["Fathom", "CZlib"], exclude: ["Resources/README.md", "Resources/digits.py"],
                resources: [.embedInCode("Resources/digits.idx.gz")]),
        .target(name: "FathomFormats", dependencies: ["Fathom", "FathomData", "CZlib", yams], swiftSettings: checked),
        .systemLibrary(name: "CLapack", path: "Sources/CLapack", providers: [.apt(["liblapack-dev"])]),
        .target(name: "FathomStability", dependencies: ["Fathom", "CLapack"], swiftSettings: checked, linkerSettings: [
            .linkedLibrary("lapack", .when(platforms: [.linux])), .linkedLibrary("blas", .when(platforms: [.linux])),
            .linkedFramework("Accelerate", .when(platforms: [.macOS])),
        ]),
        .target(name: "FathomCommandLine", dependencies: ["Fathom", "FathomData", "FathomFormats", argumentParser], swiftSettings: checked),
        .executableTarget(name: "FathomCommand", dependencies: ["Fathom", "FathomData", "FathomFormats", "FathomCommandLine", argumentParser],
                swiftSettings: checked),
        .executableTarget(name: "FathomProfiler",
                          dependencies: [
                              "Fathom", "FathomData", "FathomFormats", "FathomStability", "FathomCommandLine", "CKernels", "KernelChecks", argumentParser,
                          ],
                          path: "tools/profiler"),
        .target(name: "KernelChecks", dependencies: ["CKernels"], path: "tools/kernelcheck/checks", cSettings: kernelFlags,
                linkerSettings: [.linkedLibrary("m")]),
        .executableTarget(name: "kernelcheck", dependencies: ["KernelChecks"], path: "tools/kernelcheck/main"),
        .testTarget(name: "CKernelsTests", dependencies: ["CKernels", "KernelChecks"]),
        .target(name: "AllocationCounter", path: "Tests/AllocationCounter"),
        .testTarget(name: "FathomTests", dependencies: ["Fathom", "CKernels", "AllocationCounter"]),
        .testTarget(name: "FathomDataTests", dependencies: ["FathomData"]),
        .testTarget(name: "FathomFormatsTests", dependencies: ["FathomFormats"]),
        .testTarget(name: "FathomStabilityTests", dependencies: ["FathomStability", "Fathom", "FathomData"]),
        .testTarget(name: "FathomProfilerTests", dependencies: ["Fathom", "FathomFormats", "FathomStability", "FathomProfiler", "CKernels"]),
        .testTarget(name: "FathomCommandTests", dependencies: ["Fathom", "FathomData", "FathomFormats", "FathomCommandLine", "FathomCommand"]),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .c11
)
