// Attention of many neighbouring tokens of a sequence over its paged cache, tile by tile with a running
// maximum (FlashAttention-2, Dao, arXiv:2307.08691) on mma.m16n8k16. A block takes 64 queries of one head, a
// warp 16 of them; tiles of 64 keys and values come into shared memory one ahead of the products.

#include <cmath>

#include "kernels/inference/cuda/attention.cuh"
#include "kernels/inference/cuda/launch.cuh"

namespace sparkmpi::kernels::inference::gpu {
namespace {

constexpr int kThreads = 128, kKeys = 64;
constexpr unsigned kAll = 0xffffffffU;

struct Arguments {
  AttentionInput input;
  const QueryTile* tiles;
  float scale;  ///< of scores, with log2(e)
};

/// Rows are 16 bytes longer than their elements: eight of them lie in different banks.
template <int kWidth>
constexpr int kRow = kWidth + 8;

template <int kWidth>
constexpr std::size_t shared_bytes() {
  return sizeof(std::uint16_t) * kRow<kWidth> * (kQueryTile + 4 * kKeys);
}

__device__ void load_matrices(std::uint32_t out[4], const std::uint16_t* row) {
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
               : "r"(address)
               : "memory");
}
__device__ void load_transposed(std::uint32_t out[4], const std::uint16_t* row) {
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
               : "r"(address)
               : "memory");
}

/// Eight elements into shared memory: BF16 asynchronously, FP8 widened on the way. Zeros unless `valid`.
__device__ void fetch(Bf16Element, std::uint16_t* to, const std::uint16_t* from, bool valid) {
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(to));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(from), "r"(valid ? 16 : 0)
               : "memory");
}
__device__ void fetch(Fp8Element, std::uint16_t* to, const std::uint8_t* from, bool valid) {
  std::uint32_t pairs[4] = {};
  if (valid) Fp8Element::expand(*reinterpret_cast<const uint2*>(from), pairs);
  *reinterpret_cast<uint4*>(to) = make_uint4(pairs[0], pairs[1], pairs[2], pairs[3]);
}
__device__ void commit_fetches() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
template <int kPending>
__device__ void await_fetches() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

/// One tile of keys or values: tokens [first, first + kKeys) of the sequence, those after `last` as zeros.
template <class Element, int kWidth>
__device__ void fetch_tile(const KvLayer& kv, const std::int32_t* table, int kv_head, int part, int first,
                           int last, std::uint16_t* to) {
  constexpr int kPieces = kWidth / 8;
#pragma unroll 4
  for (int i = threadIdx.x; i < kKeys * kPieces; i += kThreads) {
    const int row = i / kPieces, piece = i % kPieces, token = min(first + row, last);
    const int block = token / kv.block_tokens;
    const auto* const from = kv_at<Element>(kv.data, table[block], kv.kv_heads, kv_head, part,
                                            kv.block_tokens, token - block * kv.block_tokens, kWidth);
    fetch(Element{}, to + row * kRow<kWidth> + piece * 8, from + piece * 8, first + row <= last);
  }
}

template <class Element, int kWidth>
__global__ void __launch_bounds__(kThreads, kWidth <= 128 ? 2 : 1)
    prefill_attention_kernel(const __grid_constant__ Arguments a) {
  extern __shared__ __align__(16) std::uint16_t shared[];
  constexpr int kPitch = kRow<kWidth>;
  std::uint16_t* const queries = shared;
  std::uint16_t* const keys = queries + kQueryTile * kPitch;  // two tiles
  std::uint16_t* const values = keys + 2 * kKeys * kPitch;    // two tiles

  const AttentionInput& input = a.input;
  const int head = blockIdx.y, kv_head = head / (input.heads / input.kv.kv_heads);
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  await_predecessor();
  release_successor();

  const QueryTile tile = a.tiles[blockIdx.x];
  const int first_position = input.tokens.positions[tile.first_token],
            last_position = first_position + tile.tokens - 1;
  const int window = input.window > 0 ? input.window : last_position + 1;
  const int begin = max(0, first_position - window + 1) / kKeys, end = last_position / kKeys + 1;
  const std::int32_t* const table =
      input.tokens.tables +
      static_cast<std::int64_t>(input.tokens.rows[tile.first_token]) * input.tokens.table_stride;
  const auto fetch_both = [&](int number) {
    const int stage = number & 1;
    fetch_tile<Element, kWidth>(input.kv, table, kv_head, 0, number * kKeys, last_position,
                                keys + stage * kKeys * kPitch);
    fetch_tile<Element, kWidth>(input.kv, table, kv_head, 1, number * kKeys, last_position,
                                values + stage * kKeys * kPitch);
    commit_fetches();
  };
  fetch_both(begin);

  for (int i = threadIdx.x; i < kQueryTile * (kWidth / 2); i += kThreads) {
    const int row = i / (kWidth / 2), element = i % (kWidth / 2) * 2;
    std::uint32_t pair = 0;
    if (row < tile.tokens && element < input.head_dim) {
      const float2 both = *reinterpret_cast<const float2*>(
          input.qkv + static_cast<std::int64_t>(tile.first_token + row) * input.stride +
          head * input.head_dim + element);
      pair = Element::pair(both.x, both.y);
    }
    *reinterpret_cast<std::uint32_t*>(queries + row * kPitch + element) = pair;
  }

  float sums[kWidth / 8][4] = {};
  float maximum[2] = {-INFINITY, -INFINITY}, total[2] = {};
  const int row = warp * 16 + lane / 4;  // and the one eight below
  const int matrix = lane / 8, line = lane % 8;
  for (int number = begin; number < end; ++number) {
    await_fetches<0>();
    __syncthreads();
    if (number + 1 < end) fetch_both(number + 1);
    const std::uint16_t* const k = keys + (number & 1) * kKeys * kPitch;
    const std::uint16_t* const v = values + (number & 1) * kKeys * kPitch;

    float scores[kKeys / 8][4] = {};
#pragma unroll
    for (int depth = 0; depth < kWidth / 16; ++depth) {
      std::uint32_t q[4];
      load_matrices(q, queries + (warp * 16 + matrix % 2 * 8 + line) * kPitch + depth * 16 + matrix / 2 * 8);
#pragma unroll
      for (int column = 0; column < kKeys / 16; ++column) {
        std::uint32_t b[4];
        load_matrices(b, k + (column * 16 + matrix / 2 * 8 + line) * kPitch + depth * 16 + matrix % 2 * 8);
        Element::multiply(scores[2 * column], q[0], q[1], q[2], q[3], b[0], b[1]);
        Element::multiply(scores[2 * column + 1], q[0], q[1], q[2], q[3], b[2], b[3]);
      }
    }

    const int first_key = number * kKeys;
    const bool edge = first_key + kKeys - 1 > first_position || first_key <= last_position - window;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int position = first_position + row + half * 8;
      float highest = maximum[half];
#pragma unroll
      for (int column = 0; column < kKeys / 8; ++column) {
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          float& score = scores[column][half * 2 + i];
          const int key = first_key + column * 8 + lane % 4 * 2 + i;
          score = edge && (key > position || key <= position - window) ? -INFINITY : score * a.scale;
          highest = fmaxf(highest, score);
        }
      }
      highest = fmaxf(highest, __shfl_xor_sync(kAll, highest, 1));
      highest = fmaxf(highest, __shfl_xor_sync(kAll, highest, 2));
      // A row may see nothing of a tile: rows beyond the slice's end, and tiles before the row's window.
      const float base = highest == -INFINITY ? 0 : highest, shrink = exp2f(maximum[half] - base);
      maximum[half] = highest;
      total[half] *= shrink;
#pragma unroll
      for (int column = 0; column < kWidth / 8; ++column) {
        sums[column][half * 2] *= shrink;
        sums[column][half * 2 + 1] *= shrink;
      }
#pragma unroll
      for (int column = 0; column < kKeys / 8; ++column) {
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          float& score = scores[column][half * 2 + i];
          score = exp2f(score - base);
          total[half] += score;
        }
      }
    }

#pragma unroll
    for (int depth = 0; depth < kKeys / 16; ++depth) {
      const std::uint32_t p0 = Element::pair(scores[2 * depth][0], scores[2 * depth][1]),
                          p1 = Element::pair(scores[2 * depth][2], scores[2 * depth][3]),
                          p2 = Element::pair(scores[2 * depth + 1][0], scores[2 * depth + 1][1]),
                          p3 = Element::pair(scores[2 * depth + 1][2], scores[2 * depth + 1][3]);
#pragma unroll
      for (int column = 0; column < kWidth / 16; ++column) {
        std::uint32_t b[4];
        load_transposed(b, v + (depth * 16 + matrix % 2 * 8 + line) * kPitch + column * 16 + matrix / 2 * 8);
        Element::multiply(sums[2 * column], p0, p1, p2, p3, b[0], b[1]);
        Element::multiply(sums[2 * column + 1], p0, p1, p2, p3, b[2], b[3]);
      }
    }
  }

#pragma unroll
  for (int half = 0; half < 2; ++half) {
    total[half] += __shfl_xor_sync(kAll, total[half], 1);
    total[half] += __shfl_xor_sync(kAll, total[half], 2);
    if (row + half * 8 >= tile.tokens) continue;
    const float sink = sink_of(input, head), highest = fmaxf(maximum[half], sink);
    const float weight = exp2f(maximum[half] - highest);
    const float factor = weight / (total[half] * weight + exp2f(sink - highest));
    std::uint16_t* const out =
        input.out + static_cast<std::int64_t>(tile.first_token + row + half * 8) * input.out_stride +
        head * input.head_dim;
#pragma unroll
    for (int column = 0; column < kWidth / 8; ++column) {
      const int element = column * 8 + lane % 4 * 2;
      if (element < input.head_dim)
        *reinterpret_cast<std::uint32_t*>(out + element) =
            Bf16Element::pair(sums[column][half * 2] * factor, sums[column][half * 2 + 1] * factor);
    }
  }
}

/// The token's own key and value into the cache.
template <class Element>
__device__ void append_token(const AttentionInput& input, int token, int kv_head, std::int64_t block,
                             int within) {
  const KvLayer& kv = input.kv;
  const int pairs = input.head_dim / 2;
  const float* const key =
      input.qkv + static_cast<std::int64_t>(token) * input.stride + (input.heads + kv_head) * input.head_dim;
  const float* const value = key + kv.kv_heads * input.head_dim;
  const float2* const rotation = input.rotation + static_cast<std::int64_t>(token) * pairs;
  auto* const keys =
      kv_at<Element>(kv.data, block, kv.kv_heads, kv_head, 0, kv.block_tokens, within, kv.width);
  auto* const values =
      kv_at<Element>(kv.data, block, kv.kv_heads, kv_head, 1, kv.block_tokens, within, kv.width);
  for (int i = threadIdx.x; i < pairs; i += blockDim.x) {
    const float first = key[i], second = key[i + pairs];
    const float2 turn = rotation[i];
    keys[i] = Element::store(first * turn.x - second * turn.y);
    keys[i + pairs] = Element::store(second * turn.x + first * turn.y);
    values[i] = Element::store(value[i]);
    values[i + pairs] = Element::store(value[i + pairs]);
  }
}

template <class Element>
__global__ void rotate_and_append_kernel(const __grid_constant__ AttentionInput input, int first_token) {
  await_predecessor();
  release_successor();
  const int token = first_token + static_cast<int>(blockIdx.x), pairs = input.head_dim / 2;
  const float2* const rotation = input.rotation + static_cast<std::int64_t>(token) * pairs;
  float* const queries = input.qkv + static_cast<std::int64_t>(token) * input.stride;
  const int position = input.tokens.positions[token];
  const std::int64_t block =
      input.tokens.tables[static_cast<std::int64_t>(input.tokens.rows[token]) * input.tokens.table_stride +
                          position / input.kv.block_tokens];
  for (int head = 0; head < input.kv.kv_heads; ++head)
    append_token<Element>(input, token, head, block, position % input.kv.block_tokens);
  for (int i = threadIdx.x; i < input.heads * pairs; i += blockDim.x) {
    float* const query = queries + i / pairs * input.head_dim + i % pairs;
    const float first = query[0], second = query[pairs];
    const float2 turn = rotation[i % pairs];
    query[0] = first * turn.x - second * turn.y;
    query[pairs] = second * turn.x + first * turn.y;
  }
}

template <class Element, int kWidth>
void launch_prefill(const Arguments& arguments, int tiles, const Launch& as) {
  launch(prefill_attention_kernel<Element, kWidth>, dim3(tiles, arguments.input.heads), kThreads,
         shared_bytes<kWidth>(), as.stream, as.programmatic, "prefill attention", arguments);
}

template <class Element>
void prefill_of(const Arguments& arguments, int tiles, const Launch& as) {
  switch (arguments.input.kv.width) {
    case 32:
      return launch_prefill<Element, 32>(arguments, tiles, as);
    case 64:
      return launch_prefill<Element, 64>(arguments, tiles, as);
    case 96:
      return launch_prefill<Element, 96>(arguments, tiles, as);
    case 128:
      return launch_prefill<Element, 128>(arguments, tiles, as);
    default:
      return launch_prefill<Element, 256>(arguments, tiles, as);
  }
}

}  // namespace

void rotate_and_append(const AttentionInput& input, int first_token, int count, const Launch& as) {
  constexpr int kAppendThreads = 256;
  const auto kernel = input.kv.type == KvType::bf16 ? rotate_and_append_kernel<Bf16Element>
                                                    : rotate_and_append_kernel<Fp8Element>;
  launch(kernel, dim3(count), kAppendThreads, 0, as.stream, as.programmatic, "rotary embedding", input,
         first_token);
}

void prefill_attention(const AttentionInput& input, const QueryTile* tiles, int count, const Launch& as) {
  const Arguments arguments{input, tiles, kLog2E / std::sqrt(static_cast<float>(input.head_dim))};
  if (input.kv.type == KvType::bf16) return prefill_of<Bf16Element>(arguments, count, as);
  prefill_of<Fp8Element>(arguments, count, as);
}

}  // namespace sparkmpi::kernels::inference::gpu
