import CZlib
import Fathom

/// How a stream of deflated bytes is wrapped.
private enum Wrapping: Int32 {
    case gzip = 31  // zlib's 15 bits of window, and 16 for gzip
    case none = -15
}

/// The content of a gzip file, several members in a row included; its checksums are checked.
/// - Throws: `FathomError.invalid` where it is cut short, damaged, or followed by something else; `.tooLarge` beyond `limit` bytes.
func gunzip(_ bytes: [UInt8], name: String, limit: Int) throws(FathomError) -> [UInt8] {
    // The last four bytes give the size, which nobody vouches for: deflate gives at most 1,032 bytes for one.
    let claimed = bytes.suffix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
    let likely = claimed <= bytes.count.multipliedReportingOverflow(by: 1032).partialValue ? claimed : 0
    return try inflate(bytes, .gzip, name: name, likely: likely, limit: limit)
}

/// A bare deflate stream of known size, as a zip file holds it.
func inflate(_ bytes: [UInt8], name: String, size: Int) throws(FathomError) -> [UInt8] {
    let result = try inflate(bytes, .none, name: name, likely: min(size, bytes.count.multipliedReportingOverflow(by: 1032).partialValue), limit: size)
    guard result.count == size else { throw .invalid("\(name) is damaged: \(result.count) bytes unpacked, expected \(size)") }
    return result
}

private func inflate(
    _ bytes: [UInt8], _ wrapping: Wrapping, name: String, likely: Int, limit: Int
) throws(FathomError) -> [UInt8] {
    var stream = z_stream()
    guard inflateInit2_(&stream, wrapping.rawValue, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
        throw .tooLarge("there is no memory to unpack \(name)")
    }
    defer { inflateEnd(&stream) }
    var result: [UInt8] = [], consumed = 0, capacity = min(max(likely, 1 << 16), limit) + 1
    var status = Z_OK, betweenMembers = false
    while true {
        result = bytes.withUnsafeBufferPointer { input in
            [UInt8](unsafeUninitializedCapacity: capacity) { output, filled in
                filled = result.withUnsafeBytes { UnsafeMutableRawBufferPointer(output).copyMemory(from: $0); return $0.count }
                while filled < capacity {
                    if status == Z_STREAM_END {
                        guard wrapping == .gzip, consumed < input.count, inflateReset(&stream) == Z_OK else { break }
                        betweenMembers = true
                    }
                    // zlib counts in 32 bits: at most a GiB a call, in and out.
                    let offered = min(input.count - consumed, 1 << 30), room = min(capacity - filled, 1 << 30)
                    stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress.map { $0 + consumed })
                    stream.avail_in = UInt32(offered)
                    stream.next_out = output.baseAddress! + filled
                    stream.avail_out = UInt32(room)
                    status = CZlib.inflate(&stream, Z_NO_FLUSH)
                    consumed += offered - Int(stream.avail_in)
                    filled += room - Int(stream.avail_out)
                    guard status == Z_OK || status == Z_STREAM_END else { break }
                    betweenMembers = false
                }
            }
        }
        guard result.count <= limit else { throw .tooLarge("\(name) unpacks to more than \(inGigabytes(limit)), which is more than fits here") }
        switch status {
        case Z_STREAM_END where consumed == bytes.count: return result
        case Z_STREAM_END where wrapping == .none: throw .invalid("\(name) has bytes after its end")
        case Z_STREAM_END, Z_OK: capacity = min(2 * capacity, limit + 1)
        case _ where betweenMembers: throw .invalid("\(name) has bytes after its end that are not gzip")
        case Z_BUF_ERROR: throw .invalid("\(name) is cut short: the compressed data end in the middle")
        case Z_MEM_ERROR: throw .tooLarge("there is no memory to unpack \(name)")
        default: throw .invalid("\(name) is damaged: \(stream.msg.map { String(cString: $0) } ?? "the compressed data are not valid")")
        }
    }
}
