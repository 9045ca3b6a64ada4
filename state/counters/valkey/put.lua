-- put: KEYS: the table's hash and its ends. ARGV: channel, now less the grace, most marks, ms that the table must live at
-- least, then end, key and value of each mark. A change is "p", the end in µs, ":", bytes of the key, ":", key and value.
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
return 1
