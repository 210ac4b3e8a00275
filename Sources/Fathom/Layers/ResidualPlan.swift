/// The shortcut and the branch are added by one call; on the way back the gradient goes down both and is added again.
extension Residual: PlannedLayer {
    func parameters(_ input: Shape) throws -> [ParameterTensor.Request] {
        let columns = try output(for: input).columns
        return (columns == input.columns ? [] : [.init(name: "projection.weight", role: .weight, rows: input.columns, columns: columns)])
            + (scale.isLearned ? [.init(name: "scale", role: .vector, rows: 1, columns: 1)] : [])
    }

    func flops(_ input: Shape) -> Int {
        guard let columns = try? output(for: input).columns else { return 0 }
        return (2 * columns + (columns == input.columns ? 0 : 2 * input.columns * columns)) * (input.steps ?? 1)
    }

    func initialize(_ tensors: ArraySlice<ParameterTensor>, drawing: Drawing) throws {
        for tensor in tensors {
            if tensor.role == .weight {
                try drawing.draw(tensor)
            } else if case .skipInit(let start) = scale {
                drawing.fill(tensor, with: Float(start))
            }
        }
    }

    func forward(_ input: Signal, tensors: ArraySlice<ParameterTensor>, ordinal: Int, activation: Activation, plan: inout PlanBuilder) -> Pass {
        let x = input.values, projection = tensors.first { $0.role == .weight }, learned = tensors.first { $0.role == .vector }
        let factor = learned.map { plan.parameter($0).data }, constant = constantScale(plan.layout)
        plan.pool.retain(x)
        let branch = content.forward(input.plain, ordinal: ordinal + 1, &plan), f = branch.output.values
        let y = plan.take(like: f)
        if let projection {
            plan.append(.forward(x: x, w: plan.parameter(projection), bias: nil, activation: .identity, slope: nil, y: y))
            plan.watch(trunk: y, branch: f, of: ordinal)
            plan.append(.add(y, f, scale: constant, factor: factor, y: y))
        } else {
            plan.watch(trunk: x, branch: f, of: ordinal)
            plan.append(.add(x, f, scale: constant, factor: factor, y: y))
        }
        if !plan.training {
            if f.storage != x.storage { plan.release(f) }
        }
        return Pass(output: Signal(y, steps: input.steps)) { dy, needsInput, plan in
            if let learned { plan.appendScaleGradient(dy, f, scale: constant, of: learned) }
            if let projection { plan.appendWeightGradients(x: x, dy: dy, weight: projection, bias: nil, isLast: true) }
            var df = dy
            plan.pool.retain(dy)
            if learned != nil || constant != 1 {
                df = plan.destination(for: dy)
                plan.append(.add(nil, dy, scale: constant, factor: factor, y: df))
            }
            let dz = plan.backward(throughActivationOf: branch.output, df)
            let dxOfBranch = branch.backward(dz, needsInput, &plan)
            guard needsInput, let dxOfBranch else {
                plan.release(dy)
                return nil
            }
            let dx = plan.destination(for: dxOfBranch)
            if let projection {
                if dx.data != dxOfBranch.data { plan.append(.add(nil, dxOfBranch, y: dx)) }
                plan.appendDgrad(dy: dy, w: plan.parameter(projection), input: input.plain, dx: dx, accumulate: true)
            } else {
                plan.append(.add(dy, dxOfBranch, y: dx))
            }
            plan.release(dy)
            return plan.backward(throughActivationOf: input, dx)
        }
    }

    func constantScale(_ layout: ParameterLayout) -> Double {
        switch scale {
        case .number(let number): number
        case .inverseRootDepth: 1 / Double(max(1, layout.residualBlocks)).squareRoot()
        case .rezero, .skipInit: 1
        }
    }
}

extension PlanBuilder {
    /// dα = Σ dy·f·scale.
    fileprivate mutating func appendScaleGradient(_ dy: Panels, _ f: Panels, scale: Double, of tensor: ParameterTensor) {
        let panels = Panels.panels(f.columns)
        let sums = pool.reserve(Double.self, count: panels)
        append(.dot(dy, f, sums: sums))
        append(.dotTotal(panels: panels, sums: sums, scale: scale, accumulate: settings.accumulates, total: gradient(tensor).data))
    }
}

extension Model {
    /// What a residual's branch is multiplied by now; 1 of another layer.
    package func branchScale(inside blocks: [Int], _ position: Int) -> Double {
        guard let residual = network(inside: blocks).layers[position] as? Residual else { return 1 }
        let learned = layout.tensors(ofLayer: ordinal(inside: blocks, position)).first { $0.role == .vector }
        return residual.constantScale(layout) * (learned.map { Double($0.panels(in: storage.floats(at: 0)).data[0]) } ?? 1)
    }
}
