package valkey

import valkeygo "github.com/valkey-io/valkey-go"

// add reckons as memory's window does, in the same floating point. KEYS: windows. ARGV: now, then n and span of each, ms.
var add = valkeygo.NewLuaScript(`
local now, most, sums = tonumber(ARGV[1]), 4294967295, {}
for i = 1, #KEYS do
  local n, span = tonumber(ARGV[2*i]), tonumber(ARGV[2*i+1])
  local began, length, running, before
  local kept = redis.call('GET', KEYS[i])
  if kept then
    began, length, running, before = string.match(kept, '^(-?%d+) (%d+) (%d+) (%d+)$')
    began, length, running, before = tonumber(began), tonumber(length), tonumber(running), tonumber(before)
  end
  if began then
    local gone = now - began
    if gone >= 2*length or gone < -math.max(length, 1000) then
      began = nil
    elseif gone >= length then
      began, length, running, before = began + length, n > 0 and span or length, 0, running
    end
  end
  if not began then
    began, length, running, before = now, span, 0, 0
  end
  running = math.min(running + n, most)
  local left = math.min(math.max(length - (now - began), 0), length)
  sums[i] = running + math.ceil(before * left / length)
  if n > 0 then
    local rest = math.max(began + 2*length - now, 0) + 1000
    redis.call('SET', KEYS[i], string.format('%.0f %.0f %.0f %.0f', began, length, running, before), 'PX', string.format('%.0f', rest))
  end
end
return sums`)

// put: KEYS: the table's hash and its ends. ARGV: channel, now less the grace, most marks, ms that the table must live at
// least, then end, key and value of each mark. A change is "p", the end in µs, ":", bytes of the key, ":", key and value.
var put = valkeygo.NewLuaScript(`
local hash, ends, channel = KEYS[1], KEYS[2], ARGV[1]
local old = redis.call('ZRANGEBYSCORE', ends, '-inf', ARGV[2], 'LIMIT', 0, 256)
if #old > 0 then
  redis.call('ZREM', ends, unpack(old))
  redis.call('HDEL', hash, unpack(old))
end
for i = 5, #ARGV, 3 do
  local till, key, value = ARGV[i], ARGV[i+1], ARGV[i+2]
  local had = redis.call('ZSCORE', ends, key)
  if had and tonumber(had) > tonumber(till) then
    till = string.format('%.0f', tonumber(had))
  end
  local kept = till .. ':' .. value
  if not had or redis.call('HGET', hash, key) ~= kept then
    redis.call('ZADD', ends, till, key)
    redis.call('HSET', hash, key, kept)
    redis.call('PUBLISH', channel, 'p' .. till .. ':' .. #key .. ':' .. key .. value)
    if redis.call('ZCARD', ends) > tonumber(ARGV[3]) then
      local first = redis.call('ZPOPMIN', ends)[1]
      redis.call('HDEL', hash, first)
      redis.call('PUBLISH', channel, 'd' .. first)
    end
  end
end
if redis.call('PTTL', hash) < tonumber(ARGV[4]) then
  redis.call('PEXPIRE', hash, ARGV[4])
  redis.call('PEXPIRE', ends, ARGV[4])
end
return 1`)

// drop: KEYS: the table's hash and its ends. ARGV: channel, then keys. A change is "d" and the key.
var drop = valkeygo.NewLuaScript(`
for i = 2, #ARGV do
  redis.call('ZREM', KEYS[2], ARGV[i])
  if redis.call('HDEL', KEYS[1], ARGV[i]) > 0 then
    redis.call('PUBLISH', ARGV[1], 'd' .. ARGV[i])
  end
end
return 1`)
